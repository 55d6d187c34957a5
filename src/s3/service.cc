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
metrics::Counter out_of_memory("kiseki_s3_out_of_memory_total",
                               "S3 requests ended because memory could not be had.");
metrics::Counter received_bytes("kiseki_s3_received_bytes_total", "Bytes of content in S3 requests.");
metrics::Counter sent_bytes("kiseki_s3_sent_bytes_total", "Bytes of bodies in S3 responses.");
metrics::Histogram request_seconds("kiseki_s3_request_seconds",
                                   "From the head of an S3 request to its last byte.");

/// Whether `who` may do this to the bucket or object; the one place that decides. An access key acts for its
/// tenant in everything; without one nothing is allowed that needs leave.
S3Result<> authorise(const std::optional<Identity>& who, const Action& action, const Address&) {
  if (who || action.permission.empty()) return {};
  return refuse(S3Code::access_denied, "Anonymous requests are not allowed.");
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
  KISEKI_S3_CO_TRY(authorise(*identity, selected->action, *address));
  co_return co_await perform(exchange, *selected, *address, target->query,
                             std::move(*identity).value_or(Identity{}));
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
            .body = body};
  auto reply = co_await selected.operation(call);
  exchange.record.received = body.bytes_received();
  co_return reply;
}

Task<Result<>> Service::respond(Exchange& exchange, HttpResponse head, View first) {
  exchange.record.status = head.status();
  exchange.record.first_byte = ports_.clock->now() - exchange.start;
  co_return co_await exchange.stream.respond(std::move(head), first);
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
  const Bytes end = reply.range.offset + reply.range.length;
  Bytes offset = reply.range.offset;
  // The first piece is read before the head goes, so that its failure still has a status of its own.
  auto piece = co_await reply.object->read(offset, end - offset);
  if (!piece) {
    co_await render_error(exchange, translate(piece.error(), Subject::object));
    co_return;
  }
  auto sent = co_await respond(exchange, std::move(reply.head.set_length(reply.range.length)), piece->view());
  for (offset += piece->size(); sent && offset < end; offset += piece->size()) {
    piece = co_await reply.object->read(offset, end - offset);
    if (!piece) {
      failed_total.add();
      log::warning("s3", "{} cut off after {} bytes: {} request={}", exchange.record.operation,
                   offset - reply.range.offset, piece.error().to_string(), exchange.record.request_id);
      co_return;
    }
    sent = co_await exchange.stream.write(piece->view());
  }
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
