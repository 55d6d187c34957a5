#include "s3/service.h"

#include "base/encoding.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "s3/access.h"
#include "s3/object_sender.h"
#include "s3/xml.h"
#include "s3/xml_requests.h"

namespace kiseki::s3 {

namespace {

metrics::Counter requests_total("kiseki_s3_requests_total", "S3 requests answered.");
metrics::Counter refused_total("kiseki_s3_refused_total",
                               "S3 requests answered with a status of 4xx or 501.");
metrics::Counter failed_total("kiseki_s3_failed_total",
                              "S3 requests answered with another status of 5xx, or cut off.");
metrics::Counter out_of_memory("kiseki_s3_out_of_memory_total",
                               "S3 requests ended because memory could not be had.");
metrics::Counter received_bytes("kiseki_s3_received_bytes_total", "Bytes of content in S3 requests.");
metrics::Counter sent_bytes("kiseki_s3_sent_bytes_total", "Bytes of bodies in S3 responses.");
metrics::Histogram request_seconds("kiseki_s3_request_seconds",
                                   "From the head of an S3 request to its last byte.");

/// What a page of a listing takes, with the rows it is made of.
constexpr Bytes page_memory = 1_MiB;
/// A document that came in is parsed into a tree of several times its size.
constexpr Bytes body_document_base = 64_KiB, body_document_factor = 4;
constexpr Duration document_wait = std::chrono::seconds(10);

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
      authenticator_(*ports.credentials, *ports.clock, options_),
      request_base_(ports.rng->next()) {
  std::array<std::byte, 24> random;
  ports_.rng->fill(random);
  host_id_ = base64_encode(random);
}

/// Unique in practice: a random start, and steps of an odd constant that visit every number.
std::string Service::next_request_id() {
  return fmt::format("{:016X}", request_base_ + ++requests_ * 0x9e3779b97f4a7c15U);
}

Service::Exchange Service::begin(HttpStream& stream) {
  requests_total.add();
  Exchange exchange{stream, ports_.clock->now(), {}};
  exchange.record.request_id = next_request_id();
  if (ports_.access_log != nullptr) exchange.record.time = ports_.clock->wall();
  return exchange;
}

void Service::end(Exchange& exchange) {
  AccessRecord& record = exchange.record;
  record.sent = exchange.stream.bytes_sent();
  record.last_byte = ports_.clock->now() - exchange.start;
  received_bytes.add(record.received);
  sent_bytes.add(record.sent);
  request_seconds.observe(record.last_byte);
  if (ports_.access_log != nullptr) ports_.access_log->append(access_line(record));
}

Task<> Service::serve(HttpStream& stream) {
  Exchange exchange = begin(stream);
  auto reply = co_await try_answer(exchange);
  if (reply) {
    co_await render(exchange, std::move(*reply));
  } else {
    co_await render_error(exchange, std::move(reply).error());
  }
  end(exchange);
}

/// Memory that cannot be had ends the request that asked for it, not the process.
Task<S3Result<Reply>> Service::try_answer(Exchange& exchange) {
  try {
    co_return co_await answer(exchange);
  } catch (const std::bad_alloc&) {
    out_of_memory.add();
    co_return refuse({.code = S3Code::slow_down, .cause = "no memory"});
  }
}

Task<S3Result<Reply>> Service::answer(Exchange& exchange) {
  const HttpHead& head = exchange.stream.head();
  const auto target = parse_target(head.target());
  if (!target) co_return refuse(S3Code::invalid_uri);
  auto identity = co_await authenticator_.authenticate(head, target->path, target->query);
  if (!identity) co_return refuse(std::move(identity).error());
  if (*identity) exchange.record.key_id = (*identity)->key.id;
  const auto address = resolve_address(target->path, head.get("host"), options_.domain);
  if (!address) co_return refuse(address.error());
  exchange.record.bucket = address->bucket;
  const auto selected = find_operation(head, *address, target->query);
  if (!selected) co_return refuse(selected.error());
  exchange.record.operation = selected->action.operation;
  const Asked asked{head, target->query, exchange.stream.peer(), ports_.clock->wall()};
  KISEKI_S3_CO_TRY(authorise(*identity, selected->action, *address, asked));
  co_return co_await perform(exchange, *selected, *address, target->query,
                             std::move(*identity).value_or(Identity{}));
}

/// A document and what is made of it are whole in memory, beside the bodies of objects.
Task<S3Result<>> Service::take_memory(Exchange& exchange, const Selection& selected, Body& body) {
  Bytes amount = 0;
  switch (selected.document) {
    case Document::none:
      co_return S3Result<>{};
    case Document::page:
      amount = page_memory;
      break;
    case Document::body:
      (void)co_await body.arrival();  // a failure shows again when the document is read
      amount = body_document_base + body_document_factor * body.rules().length.value_or(xml_large_max);
      break;
  }
  auto permit =
      co_await ports_.memory->acquire_within(*ports_.clock, document_wait, MemoryUse::document, amount);
  if (!permit) co_return refuse({.code = S3Code::slow_down, .cause = "no memory for a document"});
  exchange.memory = std::move(*permit);
  co_return S3Result<>{};
}

Task<S3Result<Reply>> Service::perform(Exchange& exchange, const Selection& selected, const Address& address,
                                       const Query& query, Identity identity) {
  HttpStream& stream = exchange.stream;
  KISEKI_S3_CO_TRY(check_fields(stream.head(), owner_id(identity.key.tenant)));
  auto rules = body_rules(stream.head(), identity, selected.checksum_of);
  if (!rules) co_return refuse(std::move(rules).error());
  Body body(stream, std::move(*rules), lanes_);
  Call call{.namespaces = *ports_.namespaces,
            .objects = *ports_.objects,
            .uploads = *ports_.uploads,
            .options = options_,
            .executor = ports_.executor,
            .head = stream.head(),
            .query = query,
            .bucket = address.bucket,
            .key = address.key,
            .identity = std::move(identity),
            .request_id = exchange.record.request_id,
            .source = stream.peer(),
            .time = ports_.clock->wall(),
            .body = body};
  KISEKI_S3_CO_TRY(co_await take_memory(exchange, selected, body));
  auto reply = co_await selected.operation(call);
  exchange.record.received = body.bytes_received();
  exchange.memory.shrink(reply ? reply->document.size() : 0);
  co_return reply;
}

void Service::note_answer(Exchange& exchange, unsigned status) const {
  exchange.record.status = status;
  exchange.record.first_byte = ports_.clock->now() - exchange.start;
}

Task<> Service::respond(Exchange& exchange, HttpResponse head, View body) {
  note_answer(exchange, head.status());
  co_await exchange.stream.respond(std::move(head), body);
}

Task<> Service::render(Exchange& exchange, Reply reply) {
  add_ids(reply.head, exchange.record.request_id, host_id_);
  if (reply.object && reply.range.length > 0) {
    co_await render_object(exchange, std::move(reply));
    co_return;
  }
  if (!reply.document.empty()) reply.head.set_length(reply.document.size());
  co_await respond(exchange, std::move(reply.head), as_view(reply.document));
}

Task<> Service::render_object(Exchange& exchange, Reply reply) {
  ObjectSender sender({ports_.memory, ports_.clock, ports_.executor}, exchange.stream, *reply.object,
                      reply.range);
  if (const auto begun = co_await sender.begin(); !begun) {
    co_await render_error(exchange, translate(begun.error(), Subject::object));
    co_return;
  }
  note_answer(exchange, reply.head.status());
  const auto sent = co_await sender.send(std::move(reply.head.set_length(reply.range.length)));
  if (sent) co_return;
  failed_total.add();
  log::warning("s3", "{} cut off after {} bytes: {} request={}", exchange.record.operation, sender.sent(),
               sent.error().to_string(), exchange.record.request_id);
}

void Service::report(const Exchange& exchange, const S3Error& error) const {
  const AccessRecord& record = exchange.record;
  const CodeInfo& info = describe(error.code);
  log::warning("s3", "{} answered {} {}: {} request={}",
               record.operation.empty() ? exchange.stream.head().method() : record.operation, info.status,
               info.name, error.cause.empty() ? error.words() : error.cause, record.request_id);
}

Task<> Service::render_error(Exchange& exchange, S3Error error) {
  const CodeInfo& info = describe(error.code);
  const bool failed = info.status >= 500 && error.code != S3Code::not_implemented;
  (failed ? failed_total : refused_total).add();
  if (failed) report(exchange, error);
  const std::string_view target = exchange.stream.head().target();
  const auto resource = percent_decode(target.substr(0, target.find('?')));
  const std::string& request_id = exchange.record.request_id;
  const std::string document =
      error_document(error, resource && is_utf8(*resource) ? *resource : "", request_id, host_id_);
  HttpResponse head(info.status);
  add_ids(head, request_id, host_id_);
  head.add("Content-Type", "application/xml").set_length(document.size());
  if (info.status == 503) head.add("Retry-After", "1");
  if (error.code == S3Code::no_such_bucket || error.code == S3Code::authorization_header_malformed) {
    head.add("x-amz-bucket-region", options_.region);
  }
  co_await respond(exchange, std::move(head), as_view(document));
}

Task<> Service::refuse_head(HttpStream& stream) {
  Exchange exchange = begin(stream);
  co_await render_error(exchange, S3Error{code_of(stream.fault())});
  end(exchange);
}

Task<> Service::refuse_connection(HttpStream& stream) {
  Exchange exchange = begin(stream);
  co_await render_error(exchange, S3Error{S3Code::slow_down, "Too many connections. Please retry."});
  end(exchange);
}

}  // namespace kiseki::s3
