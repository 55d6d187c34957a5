#include "base/loop_signal.h"

#include <cerrno>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

#include <boost/asio/detail/reactor.hpp>

#include "base/assert.h"

// Asio offers a descriptor that is armed anew for every wait and read for every event, or a `post` that
// writes while it holds the lock which the woken loop wants first. Beneath both lies what its own signal
// handling uses: a descriptor with an operation that is never done. Boost 1.81.

namespace kiseki {

using Reactor = asio::detail::reactor;
using ReactorOperation = asio::detail::reactor_op;

struct LoopSignal::State final : ReactorOperation {
  State(asio::io_context& loop, std::move_only_function<void()> called)
      : ReactorOperation({}, &State::perform, &State::complete),
        reactor(asio::use_service<Reactor>(loop)),
        action(std::move(called)),
        descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    reactor.init_task();
    const int failed = reactor.register_internal_descriptor(Reactor::read_op, descriptor, registration, this);
    if (failed != 0) throw std::system_error(failed, std::generic_category(), "epoll");
  }
  ~State() {
    reactor.deregister_internal_descriptor(descriptor, registration);
    reactor.cleanup_descriptor_data(registration);
    ::close(descriptor);
  }

  /// The event is edge-triggered: the count is never looked at.
  static status perform(ReactorOperation* base) {
    static_cast<State*>(base)->action();
    return not_done;
  }
  /// Only when the loop dies or lets go: this is not its to destroy.
  static void complete(void*, asio::detail::operation*, const boost::system::error_code&, std::size_t) {}

  Reactor& reactor;
  std::move_only_function<void()> action;
  int descriptor;
  Reactor::per_descriptor_data registration{};
};

LoopSignal::LoopSignal(asio::io_context& loop, std::move_only_function<void()> action)
    : state_(std::make_unique<State>(loop, std::move(action))) {}
LoopSignal::~LoopSignal() = default;

int LoopSignal::descriptor() const noexcept { return state_->descriptor; }

void LoopSignal::raise() noexcept {
  const std::uint64_t one = 1;
  ssize_t written = 0;
  do written = ::write(state_->descriptor, &one, sizeof one);
  while (written < 0 && errno == EINTR);
  // A full counter is a signal too.
  KISEKI_ASSERT(written == sizeof one || errno == EAGAIN);
}

}  // namespace kiseki
