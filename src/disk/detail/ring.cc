#include "disk/detail/ring.h"

#include <cerrno>
#include <sys/eventfd.h>
#include <system_error>

namespace kiseki::disk::detail {

namespace {

std::unexpected<Error> refused(std::string_view what, int number) {
  return fail(Errc::not_supported,
              fmt::format("io_uring: {}: {}", what, std::generic_category().message(number)));
}

void prepare(io_uring_sqe* entry, const Call& call) {
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

Result<std::unique_ptr<Ring>> Ring::open(Executor executor) {
  std::unique_ptr<Ring> ring(new Ring(executor));
  KISEKI_TRY(ring->set_up());
  return ring;
}

Result<> Ring::set_up() {
  const int refusal = io_uring_queue_init(depth, &ring_, 0);
  if (refusal < 0) return refused("setup", -refusal);
  ready_ = true;
  const std::unique_ptr<io_uring_probe, void (*)(io_uring_probe*)> probe(io_uring_get_probe_ring(&ring_),
                                                                         io_uring_free_probe);
  if (probe == nullptr) return refused("probe", ENOSYS);
  for (const int operation : {IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_FALLOCATE}) {
    if (io_uring_opcode_supported(probe.get(), operation) == 0) return refused("operation", ENOSYS);
  }
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event < 0) return refused("eventfd", errno);
  event_.assign(event);
  const int registered = io_uring_register_eventfd(&ring_, event);
  if (registered < 0) return refused("eventfd", -registered);
  return {};
}

Ring::~Ring() {
  // The kernel would go on writing into memory that its owners free.
  KISEKI_ASSERT(in_flight_ == 0 && waiting_.empty());
  if (ready_) io_uring_queue_exit(&ring_);
}

Task<int> Ring::run(Call call) {
  Pending pending{call, {}};
  waiting_.push_back(&pending);
  schedule_submit();
  co_return co_await pending.result.take();
}

void Ring::schedule_submit() {
  if (submit_scheduled_) return;
  submit_scheduled_ = true;
  asio::post(executor_, [this] {
    submit_scheduled_ = false;
    submit();
  });
}

void Ring::submit() {
  while (!waiting_.empty() && in_flight_ < depth) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) break;
    prepare(entry, waiting_.front()->call);
    io_uring_sqe_set_data(entry, waiting_.front());
    waiting_.pop_front();
    ++in_flight_;
  }
  if (io_uring_sq_ready(&ring_) > 0) {
    const int submitted = io_uring_submit(&ring_);
    KISEKI_ASSERT(submitted >= 0 || submitted == -EAGAIN || submitted == -EBUSY || submitted == -EINTR);
    // The kernel is short of memory: what it did not take stays prepared.
    if (io_uring_sq_ready(&ring_) > 0) schedule_submit();
  }
  if (in_flight_ > 0) watch();
}

void Ring::watch() {
  if (watching_) return;
  watching_ = true;
  event_.async_read_some(asio::buffer(&event_count_, sizeof event_count_),
                         [this](const boost::system::error_code& error, std::size_t) {
                           if (error == asio::error::operation_aborted) return;
                           KISEKI_ASSERT(!error);
                           watching_ = false;
                           reap();
                         });
}

void Ring::reap() {
  io_uring_cqe* completion = nullptr;
  while (io_uring_peek_cqe(&ring_, &completion) == 0) {
    auto* pending = static_cast<Pending*>(io_uring_cqe_get_data(completion));
    const int result = completion->res;
    io_uring_cqe_seen(&ring_, completion);
    --in_flight_;
    pending->result.set(result);
  }
  if (!waiting_.empty()) schedule_submit();
  if (in_flight_ > 0) watch();
}

}  // namespace kiseki::disk::detail
