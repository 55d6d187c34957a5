#include "s3/testing/harness.h"

#include <charconv>
#include <sys/socket.h>

#include "base/encoding.h"
#include "s3/time_format.h"

namespace kiseki::s3::testing {

namespace {

constexpr auto token = asio::as_tuple(use_task);

Task<> write_all(Socket& socket, std::string bytes) {
  View rest = as_view(bytes);
  while (!rest.empty()) {
    const auto [error, count] =
        co_await socket.async_write_some(asio::buffer(rest.data(), rest.size()), token);
    if (error) co_return;
    rest = rest.subspan(count);
  }
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_send, ignored);
}

Task<std::string> read_all(Socket& socket) {
  std::string all;
  for (std::string piece(65536, '\0');;) {
    const auto [error, count] = co_await socket.async_read_some(asio::buffer(piece), token);
    if (error) co_return all;
    all.append(piece, 0, count);
  }
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return text;
}

}  // namespace

Task<Result<fs::Credential>> FixedCredentials::find(std::string access_key) {
  if (access_key == example_key) {
    co_return fs::Credential{{access_key, TenantId(1), 0, true}, crypto::SecretText(example_secret)};
  }
  if (access_key == "OTHER")
    co_return fs::Credential{{access_key, TenantId(2), 0, false}, crypto::SecretText("other")};
  if (const auto found = limited_.find(access_key); found != limited_.end()) {
    fs::AccessKey key{access_key, TenantId(1), 0, false};
    key.rights = found->second;
    co_return fs::Credential{std::move(key), crypto::SecretText(access_key)};
  }
  co_return fail(Errc::not_found);
}

void FixedCredentials::add(std::string id, std::vector<std::string> policies, const std::string& limits) {
  auto user = std::make_shared<fs::AccountPolicies>();
  for (const std::string& text : policies)
    user->policies.push_back(*iam::Policy::parse(text, iam::PolicyType::managed));
  auto rights = std::make_shared<fs::KeyRights>();
  rights->principal.type = iam::Principal::Type::user;
  rights->principal.account = iam::account_of(TenantId(1));
  rights->principal.name = "alice";
  rights->principal.arn = "arn:aws:iam::" + rights->principal.account + ":user/alice";
  for (const iam::Policy& policy : user->policies) rights->policies.push_back(&policy);
  if (!limits.empty()) rights->limits = *iam::Policy::parse(limits, iam::PolicyType::managed);
  rights->user = std::move(user);
  limited_.insert_or_assign(std::move(id), std::move(rights));
}

std::string Response::field(const std::string& name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : found->second;
}

std::string Response::element(const std::string& name) const {
  const std::size_t start = body.find("<" + name + ">");
  const std::size_t end = body.find("</" + name + ">");
  if (start == body.npos || end == body.npos) return {};
  return body.substr(start + name.size() + 2, end - start - name.size() - 2);
}

Harness::Harness(ServiceOptions options)
    : service_({.namespaces = &files_,
                .objects = &files_,
                .uploads = &files_,
                .credentials = &credentials_,
                .clock = &clock_,
                .rng = &rng_,
                .executor = loop_.executor(),
                .memory = &memory_,
                .access_log = &access_log_},
               std::move(options)),
      core_(loop_.executor(), clock_, service_, http_) {
  clock_.set_wall_offset(std::chrono::seconds(example_time - unix_seconds(clock_.wall())));
}

Harness::~Harness() { loop_.get(core_.stop()); }

std::pair<Socket, Socket> Harness::connect() {
  int ends[2] = {-1, -1};
  KISEKI_ASSERT(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const asio::generic::stream_protocol protocol(AF_UNIX, 0);
  return {Socket(loop_.executor(), protocol, ends[0]), Socket(loop_.executor(), protocol, ends[1])};
}

std::string Harness::exchange(std::string bytes) {
  auto [server, client] = connect();
  core_.adopt(std::move(server), HttpCore::Admission::served, [] {});
  loop_.spawn(write_all(client, std::move(bytes)));
  return loop_.get(read_all(client));
}

std::string Harness::signed_request(Request request) {
  auto& fields = request.fields;
  fields.try_emplace("host", "s3.example.org");
  fields.try_emplace("x-amz-date", compact_time(example_time));
  fields.try_emplace("x-amz-content-sha256", to_hex(crypto::sha256(as_view(request.body))));
  if (!request.body.empty() || request.method == "PUT") {
    fields.try_emplace("content-length", fmt::format("{}", request.body.size()));
  }
  std::string text = fmt::format("{} {} HTTP/1.1\r\n", request.method, request.target);
  for (const auto& [name, value] : fields) text += fmt::format("{}: {}\r\n", name, value);
  HttpHead head;
  KISEKI_ASSERT(parse_head(as_view(text + "\r\n"), head) == HeadFault::none);
  const auto target = parse_target(request.target);
  SignatureClaim claim;
  const std::string& timestamp = fields["x-amz-date"];
  claim.scope = {request.access_key, timestamp.substr(0, 8), "us-east-1"};
  claim.timestamp = timestamp;
  claim.payload_hash = fields["x-amz-content-sha256"];
  std::string list;
  for (const auto& [name, value] : fields) {
    claim.signed_headers.push_back(name);
    list += (list.empty() ? "" : ";") + name;
  }
  const SigningKey key(request.secret, claim.scope.date, claim.scope.region);
  const std::string signature =
      key.sign(string_to_sign(claim, canonical_request(head, canonical_path(target ? target->path : "/"),
                                                       target ? target->query : Query(), claim)));
  text +=
      fmt::format("Authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}\r\n\r\n",
                  request.access_key, claim.scope.to_string(), list, signature);
  return text + request.body;
}

Response Harness::send(const Request& request) {
  auto responses = parse(exchange(signed_request(request)), request.method);
  return responses.empty() ? Response{} : std::move(responses.back());
}

std::vector<Response> Harness::parse(std::string_view bytes, std::string_view method) {
  std::vector<Response> responses;
  while (bytes.starts_with("HTTP/1.1 ")) {
    Response response;
    std::from_chars(bytes.data() + 9, bytes.data() + 12, response.status);
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == bytes.npos) break;
    std::string_view lines = bytes.substr(0, end);
    bytes.remove_prefix(end + 4);
    while (!lines.empty()) {
      const std::string_view line = lines.substr(0, lines.find("\r\n"));
      lines.remove_prefix(std::min(line.size() + 2, lines.size()));
      if (const std::size_t colon = line.find(": "); colon != line.npos) {
        response.fields[lower(std::string(line.substr(0, colon)))] = line.substr(colon + 2);
      }
    }
    std::size_t length = 0;
    const std::string text = response.field("content-length");
    std::from_chars(text.data(), text.data() + text.size(), length);
    if (method == "HEAD") length = 0;
    response.body = bytes.substr(0, length);
    bytes.remove_prefix(std::min(length, bytes.size()));
    responses.push_back(std::move(response));
  }
  return responses;
}

}  // namespace kiseki::s3::testing
