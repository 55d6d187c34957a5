#include "disk/detail/ring.h"

#include <cerrno>
#include <system_error>

namespace kiseki::disk::detail {

namespace {

std::unexpected<Error> refused(std::string_view what, int number) {
  return fail(Errc::not_supported,
              fmt::format("io_uring: {}: {}", what, std::generic_category().message(number)));
}

void fill(io_uring_sqe* entry, const Call& call) {
  const auto length = static_cast<unsigned>(call.length);
  switch (call.kind) {
    case Call::Kind::read:
      io_uring_prep_read(entry, call.fd, call.data, length, call.offset);
      break;
    case Call::Kind::write:
      io_uring_prep_write(entry, call.fd, call.data, length, call.offset);
      break;
    case Call::Kind::sync:
      io_uring_prep_fsync(entry, call.fd, IORING_FSYNC_DATASYNC);
      break;
    case Call::Kind::allocate:
      io_uring_prep_fallocate(entry, call.fd, 0, static_cast<off_t>(call.offset),
                              static_cast<off_t>(call.length));
      break;
  }
}

}  // namespace

Ring::Ring(Executor executor)
    : Engine(1), queue_(LoopQueue::of(executor)), completed_(executor.context(), [this] { reap(); }) {}

Result<std::unique_ptr<Ring>> Ring::open(Executor executor) {
  std::unique_ptr<Ring> ring(new Ring(executor));
  KISEKI_TRY(ring->set_up());
  return ring;
}

Result<> Ring::set_up() {
  // The core looks at completions when it sleeps or calls the kernel: no need to interrupt it.
  int refusal = io_uring_queue_init(depth, &ring_, IORING_SETUP_COOP_TASKRUN);
  if (refusal == -EINVAL) refusal = io_uring_queue_init(depth, &ring_, 0);
  if (refusal < 0) return refused("setup", -refusal);
  ready_ = true;
  links_ = (ring_.features & IORING_FEAT_CQE_SKIP) != 0;
  const std::unique_ptr<io_uring_probe, void (*)(io_uring_probe*)> probe(io_uring_get_probe_ring(&ring_),
                                                                         io_uring_free_probe);
  if (probe == nullptr) return refused("probe", ENOSYS);
  for (const int operation : {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_FALLOCATE}) {
    if (io_uring_opcode_supported(probe.get(), operation) == 0) return refused("operation", ENOSYS);
  }
  const int registered = io_uring_register_eventfd(&ring_, completed_.descriptor());
  if (registered < 0) return refused("eventfd", -registered);
  return {};
}

Ring::~Ring() {
  // The kernel would go on writing into memory that its owners free.
  KISEKI_ASSERT(in_flight_ == 0 && waiting_.empty());
  if (ready_) io_uring_queue_exit(&ring_);
}

Task<int> Ring::run(Call call) {
  Pending pending{call, nullptr, {}};
  co_return (co_await submit_and_wait(pending)).result;
}

Task<Engine::Linked> Ring::run_linked(Call write, Call sync) {
  if (!links_) {
    const int written = co_await run(write);
    const bool is_whole = written >= 0 && static_cast<Bytes>(written) == write.length;
    co_return Linked{written, is_whole ? co_await run(sync) : -ECANCELED};
  }
  Pending pending{write, &sync, {}};
  const Completion done = co_await submit_and_wait(pending);
  if (done.is_of_first) co_return Linked{done.result, -ECANCELED};
  co_return Linked{static_cast<int>(write.length), done.result};
}

Task<Ring::Completion> Ring::submit_and_wait(Pending& pending) {
  waiting_.push_back(&pending);
  schedule_submit();
  co_return co_await pending.result.take();
}

/// A chain is answered once: by its last call, or by the one that ends it. The lowest bit of what comes back
/// tells which.
void Ring::prepare(Pending& pending) {
  const auto address = reinterpret_cast<std::uintptr_t>(&pending);
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  fill(entry, pending.call);
  io_uring_sqe_set_data64(entry, address | 1U);
  if (pending.then == nullptr) return;
  entry->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
  entry = io_uring_get_sqe(&ring_);
  has_chain_ = true;
  fill(entry, *pending.then);
  io_uring_sqe_set_data64(entry, address);
}

void Ring::schedule_submit() {
  if (submit_scheduled_) return;
  submit_scheduled_ = true;
  queue_.push(submission_);
}

void Ring::submit() {
  submit_scheduled_ = false;
  while (!waiting_.empty()) {
    Pending& next = *waiting_.front();
    const unsigned room = std::min(depth - in_flight_, io_uring_sq_space_left(&ring_));
    if (next.entries() > room) break;
    prepare(next);
    waiting_.pop_front();
    in_flight_ += next.entries();
  }
  if (io_uring_sq_ready(&ring_) > 0) {
    const int submitted = io_uring_submit(&ring_);
    KISEKI_ASSERT(submitted >= 0 || submitted == -EAGAIN || submitted == -EBUSY || submitted == -EINTR);
    // The kernel is short of memory: what it did not take stays prepared. The rest of a parted chain would
    // not wait for its beginning.
    const bool is_rest = io_uring_sq_ready(&ring_) > 0;
    KISEKI_ASSERT(!is_rest || submitted <= 0 || !has_chain_);
    if (is_rest) schedule_submit();
    if (!is_rest) has_chain_ = false;
  }
}

void Ring::reap() {
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&ring_, &completion) == 0) {
    const std::uint64_t data = io_uring_cqe_get_data64(completion);
    auto* pending = reinterpret_cast<Pending*>(data & ~std::uint64_t{1});
    const Completion done{completion->res, (data & 1U) != 0};
    io_uring_cqe_seen(&ring_, completion);
    in_flight_ -= pending->entries();
    pending->result.set(done);
  }
  if (!waiting_.empty()) schedule_submit();
}

}  // namespace kiseki::disk::detail
