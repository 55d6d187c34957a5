#include <chrono>
#include <cstdlib>
#include <gtest/gtest.h>
#include <new>

#include "iam/decision.h"
#include "iam/testing/cast.h"

// What a decision costs on the way of a GET.

namespace {
std::size_t allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace kiseki::iam {
namespace {

constexpr std::string_view user_document = R"({"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data",
   "Condition":{"StringLike":{"s3:prefix":"${aws:username}/*"}}},
  {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],
   "Resource":"arn:aws:s3:::data/${aws:username}/*"},
  {"Effect":"Deny","Action":"s3:*","Resource":"*",
   "Condition":{"NotIpAddress":{"aws:SourceIp":["192.0.2.0/24","2001:db8::/32"]}}}]})";

constexpr std::string_view bucket_document = R"({"Version":"2012-10-17","Statement":[
  {"Effect":"Deny","Principal":"*","Action":"s3:*",
   "Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"],
   "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]})";

struct Asked {
  Principal who = user_of(account_one, "alice");
  Policy user = *Policy::parse(user_document, PolicyType::managed);
  Policy bucket = *Policy::parse(bucket_document, PolicyType::bucket, "data");

  /// All that a request costs: its name, its context, the decision.
  Decision get() const {
    const ResourceName resource("data", "alice/a/key/of/some/length/0000000123");
    Context context;
    who.describe(context);
    context.set(ContextKey::source_ip, "192.0.2.77");
    context.set(ContextKey::secure_transport, "true");
    const Policy* const policies[] = {&user};
    ResourceSide side;
    side.account = account_one;
    side.policy = &bucket;
    return decide({who, Action::get_object, resource.view(), context}, {.policies = policies}, side);
  }
};

TEST(DecisionCost, of_a_get_is_no_allocation) {
  const Asked asked;
  const std::size_t before = allocations;
  const Decision decision = asked.get();
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(decision, Decision::allowed);
}

TEST(DecisionCost, of_a_get_is_printed) {
  using clock = std::chrono::steady_clock;
  const Asked asked;
  constexpr int rounds = 200'000;
  std::size_t allowed = 0;
  auto best = clock::duration::max();
  for (int batch = 0; batch < 5; ++batch) {
    const auto start = clock::now();
    for (int i = 0; i < rounds; ++i) allowed += asked.get() == Decision::allowed ? 1U : 0U;
    best = std::min(best, clock::now() - start);
  }
  EXPECT_EQ(allowed, 5U * rounds);
  fmt::print("[ figures  ] a GET by four statements is decided in {} ns\n",
             std::chrono::duration_cast<std::chrono::nanoseconds>(best).count() / rounds);
}

}  // namespace
}  // namespace kiseki::iam
