#pragma once

#include "s3/chunk_framing.h"
#include "s3/conditions.h"
#include "s3/http_parser.h"
#include "s3/routes.h"
#include "s3/sigv4.h"
#include "s3/time_format.h"
#include "s3/xml_requests.h"

// What the fuzzers feed foreign bytes to; a unit test replays the seeds.

namespace kiseki::s3 {

/// A whole head: parsed, and its signature, address and conditions taken apart.
inline void fuzz_head(View bytes) {
  HttpHead head;
  if (parse_head(bytes, head) != HeadFault::none) return;
  const auto target = parse_target(head.target());
  if (!target) return;
  if (const auto claim = parse_claim(head, target->query); claim && *claim) {
    string_to_sign(**claim, canonical_request(head, canonical_path(target->path), target->query, **claim));
    (void)payload_form((*claim)->payload_hash);
  }
  if (const auto address = resolve_address(target->path, head.get("host"), "example.org")) {
    (void)find_operation(head, *address, target->query);
  }
  (void)check_fields(head, "");
  (void)evaluate(read_conditions(head, ""), "etag", 0);
}

/// Chunk framing, in pieces whose size the first byte says.
inline void fuzz_chunks(View bytes) {
  if (bytes.empty()) return;
  const std::size_t step = std::to_integer<std::size_t>(bytes[0]) + 1;
  ChunkFraming framing;
  for (View rest = bytes.subspan(1); !rest.empty() && framing.state() != ChunkFraming::State::finished;) {
    std::size_t count = std::min(step, rest.size());
    if (framing.state() == ChunkFraming::State::data) {
      count = std::min<std::size_t>(count, framing.data_left());
      framing.pass(count);
    } else {
      const auto taken = framing.feed(rest.first(count));
      if (!taken) return;
      count = *taken;
    }
    rest = rest.subspan(count);
  }
}

inline void fuzz_xml(View bytes) {
  const std::string document(as_text(bytes));
  (void)parse_create_bucket(document);
  (void)parse_delete(document);
  (void)parse_complete(document);
  (void)parse_tagging(document, bucket_tags_max);
}

inline void fuzz_range(View bytes) {
  const std::string_view text = as_text(bytes);
  for (const Bytes size : {Bytes{0}, Bytes{1}, Bytes{1000}, ~Bytes{0}}) {
    const auto range = parse_range(text, size);
    if (range && *range) KISEKI_ASSERT((*range)->length > 0 && (*range)->offset <= size - (*range)->length);
    const auto copied = parse_copy_range(text, size);
    if (copied) KISEKI_ASSERT(copied->length > 0 && copied->offset <= size - copied->length);
  }
  (void)parse_http_date(text);
  (void)parse_compact_time(text);
}

}  // namespace kiseki::s3
