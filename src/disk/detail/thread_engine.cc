#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "disk/detail/engine.h"

namespace kiseki::disk::detail {

namespace {

int carry_out(const Call& call) {
  const auto offset = static_cast<off_t>(call.offset);
  ssize_t result = -1;
  switch (call.kind) {
    case Call::Kind::read:
      result = pread(call.fd, call.data, call.length, offset);
      break;
    case Call::Kind::write:
      result = pwrite(call.fd, call.data, call.length, offset);
      break;
    case Call::Kind::sync:
      result = fdatasync(call.fd);
      break;
    case Call::Kind::allocate:
      result = fallocate(call.fd, 0, offset, static_cast<off_t>(call.length));
      break;
  }
  return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace

ThreadEngine::ThreadEngine() : Engine(4) {}

Task<int> ThreadEngine::run(Call call) {
  co_return co_await pool().run([call] { return carry_out(call); });
}

Task<Engine::Linked> ThreadEngine::run_linked(Call write, Call sync) {
  co_return co_await pool().run([write, sync] {
    Linked done{carry_out(write), -ECANCELED};
    if (done.write >= 0 && static_cast<Bytes>(done.write) == write.length) done.sync = carry_out(sync);
    return done;
  });
}

}  // namespace kiseki::disk::detail
