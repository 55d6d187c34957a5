#include "s3/service.h"

#include "base/logging.h"
#include "base/metrics.h"
#include "s3/xml.h"

namespace kiseki::s3 {

namespace {

metrics::Counter requests_total("kiseki_s3_requests_total", "S3 requests answered.");
metrics::Counter refused_total("kiseki_s3_refused_total",
                               "S3 requests answered with a status of 4xx or 501.");
metrics::Counter failed_total("kiseki_s3_failed_total",
                              "S3 requests answered with another status of 5xx, or cut off.");
metrics::Counter received_bytes("kiseki_s3_received_bytes_total", "Bytes of content in S3 requests.");
metrics::Counter sent_bytes("kiseki_s3_sent_bytes_total", "Bytes of bodies in S3 responses.");
metrics::Histogram request_seconds("kiseki_s3_request_seconds",
                                   "From the head of an S3 request to its last byte.");

/// An access key acts for its tenant in everything; without one nothing is allowed.
S3Result<> authorise(const std::optional<Identity>& identity) {
  if (!identity) return refuse(S3Code::access_denied, "Anonymous requests are not allowed.");
  return {};
}

void add_ids(HttpResponse& head, std::string_view request_id, std::string_view host_id) {
  head.add("x-amz-request-id", request_id).add("x-amz-id-2", host_id);
}

S3Code code_of(HeadFault fault) noexcept {
  switch (fault) {
    case HeadFault::none:
    case HeadFault::malformed:
      return S3Code::bad_request;
    case HeadFault::too_large:
      return S3Code::request_header_section_too_large;
    case HeadFault::unsupported_version:
      return S3Code::http_version_not_supported;
    case HeadFault::unsupported_coding:
      return S3Code::not_implemented;
  }
  return S3Code::bad_request;
}

std::string error_document(const S3Error& error, std::string_view resource, std::string_view request_id,
                           std::string_view host_id) {
  XmlWriter xml("Error", XmlWriter::Namespace::none);
  xml.element("Code", describe(error.code).name).element("Message", error.words());
  for (const auto& [name, value] : error.details) xml.element(name, value);
  xml.element("Resource", resource).element("RequestId", request_id).element("HostId", host_id);
  return xml.finish();
}

}  // namespace

Service::Service(Ports ports, ServiceOptions options)
    : ports_(ports),
      options_(std::move(options)),
      authenticator_(*ports.credentials, *ports.clock, options_.region),
      request_base_(ports.rng->next()) {
  std::array<std::byte, 24> random;
  ports_.rng->fill(random);
  host_id_ = base64_encode(random);
}

/// Unique in practice: a random start, and steps of an odd constant that visit every number.
std::string Service::next_request_id() {
  return fmt::format("{:016X}", request_base_ + ++requests_ * 0x9e3779b97f4a7c15U);
}

Task<> Service::serve(HttpStream& stream) {
  const BootTime start = ports_.clock->now();
  std::string request_id = next_request_id();
  requests_total.add();
  auto reply = co_await answer(stream);
  if (reply) {
    co_await render(stream, std::move(*reply), std::move(request_id));
  } else {
    co_await render_error(stream, std::move(reply).error(), std::move(request_id));
  }
  sent_bytes.add(stream.bytes_sent());
  request_seconds.observe(ports_.clock->now() - start);
}

Task<S3Result<Reply>> Service::answer(HttpStream& stream) {
  const HttpHead& head = stream.head();
  const auto target = parse_target(head.target());
  if (!target) co_return refuse(S3Code::invalid_uri);
  auto identity = co_await authenticator_.authenticate(head, target->path, target->query);
  if (!identity) co_return refuse(std::move(identity).error());
  KISEKI_S3_CO_TRY(authorise(*identity));
  const auto address = resolve_address(target->path, head.get("host"), options_.domain);
  if (!address) co_return refuse(address.error());
  const auto selected = find_operation(head, *address, target->query);
  if (!selected) co_return refuse(selected.error());
  co_return co_await perform(stream, *selected, *address, target->query, std::move(**identity));
}

Task<S3Result<Reply>> Service::perform(HttpStream& stream, Selection selected, const Address& address,
                                       const Query& query, Identity identity) {
  KISEKI_S3_CO_TRY(check_fields(stream.head(), owner_id(identity.key.tenant)));
  auto rules = body_rules(stream.head(), identity, selected.checksum_of);
  if (!rules) co_return refuse(std::move(rules).error());
  Body body(stream, std::move(*rules));
  Call call{*ports_.files,  options_,    ports_.executor,     stream.head(), query,
            address.bucket, address.key, std::move(identity), body};
  auto reply = co_await selected.operation(call);
  received_bytes.add(body.bytes_received());
  co_return reply;
}

Task<> Service::render(HttpStream& stream, Reply reply, std::string request_id) {
  add_ids(reply.head, request_id, host_id_);
  if (!reply.object || reply.range.length == 0) {
    if (!reply.document.empty()) reply.head.set_length(reply.document.size());
    co_await stream.respond(std::move(reply.head), as_view(reply.document));
    co_return;
  }
  const Bytes end = reply.range.offset + reply.range.length;
  Bytes offset = reply.range.offset;
  // The first piece is read before the head goes, so that its failure still has a status of its own.
  auto piece = co_await reply.object->read(offset, end - offset);
  if (!piece) {
    co_await render_error(stream, translate(piece.error(), Subject::object), std::move(request_id));
    co_return;
  }
  auto sent = co_await stream.respond(std::move(reply.head.set_length(reply.range.length)), piece->view());
  for (offset += piece->size(); sent && offset < end; offset += piece->size()) {
    piece = co_await reply.object->read(offset, end - offset);
    if (!piece) {
      failed_total.add();
      log::warning("s3", "GET cut off after {} bytes: {} request={}", offset - reply.range.offset,
                   name_of(piece.error().code()), request_id);
      co_return;
    }
    sent = co_await stream.write(piece->view());
  }
}

Task<> Service::render_error(HttpStream& stream, S3Error error, std::string request_id) {
  const CodeInfo& info = describe(error.code);
  const bool failed = info.status >= 500 && error.code != S3Code::not_implemented;
  (failed ? failed_total : refused_total).add();
  if (failed) {
    log::warning("s3", "{} answered {} {}: {} request={}", stream.head().method(), info.status, info.name,
                 error.words(), request_id);
  }
  const std::string_view target = stream.head().target();
  const auto resource = percent_decode(target.substr(0, target.find('?')));
  std::string document =
      error_document(error, resource && is_utf8(*resource) ? *resource : "", request_id, host_id_);
  HttpResponse head(info.status);
  add_ids(head, request_id, host_id_);
  head.add("Content-Type", "application/xml").set_length(document.size());
  if (info.status == 503) head.add("Retry-After", "1");
  if (error.code == S3Code::no_such_bucket || error.code == S3Code::authorization_header_malformed) {
    head.add("x-amz-bucket-region", options_.region);
  }
  co_await stream.respond(std::move(head), as_view(document));
}

Task<> Service::refuse_head(HttpStream& stream) {
  requests_total.add();
  co_await render_error(stream, S3Error{code_of(stream.fault())}, next_request_id());
}

Task<> Service::refuse_connection(HttpStream& stream) {
  requests_total.add();
  co_await render_error(stream, S3Error{S3Code::slow_down, "Too many connections. Please retry."},
                        next_request_id());
}

}  // namespace kiseki::s3
