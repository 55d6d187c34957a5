#include "raft/replica.h"

#include "raft/replica/driver.h"

namespace kiseki::raft {

Replica::Replica(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}
Replica::~Replica() = default;

Task<Result<std::unique_ptr<Replica>>> Replica::open(Options options, Recovered recovered,
                                                     Environment environment) {
  auto driver = std::make_unique<Driver>(options, environment);
  if (auto started = co_await driver->start(std::move(recovered)); !started) {
    co_await driver->stop();
    co_return fail(std::move(started).error());
  }
  co_return std::unique_ptr<Replica>(new Replica(std::move(driver)));
}

Result<Replica::Position> Replica::propose(std::string payload) {
  return driver_->propose(std::move(payload));
}
Result<Replica::Position> Replica::propose_conf(std::span<const ConfChange> changes) {
  return driver_->propose_conf(changes);
}
Result<Replica::Position> Replica::change_members(std::span<const MemberChange> changes) {
  return driver_->change_members(changes);
}
Result<> Replica::transfer_leader(ReplicaId to) { return driver_->transfer_leader(to); }
Task<Result<>> Replica::read_barrier() { return driver_->read_barrier(); }
bool Replica::reads_locally() const { return driver_->reads_locally(); }
Role Replica::role() const { return driver_->role(); }
Term Replica::term() const { return driver_->term(); }
GroupStatus Replica::status() const { return driver_->status(); }
void Replica::step(std::span<const Message> messages, FramePtr frame) { driver_->step(messages, frame); }
Task<Result<>> Replica::receive_snapshot(Message message, SnapshotSource& source) {
  return driver_->receive_snapshot(std::move(message), source);
}
void Replica::unreachable(ReplicaId replica) { driver_->unreachable(replica); }
void Replica::wake() { driver_->wake(); }
bool Replica::is_removed() const { return driver_->is_removed(); }
Task<Result<>> Replica::compact() { return driver_->compact(); }
const std::optional<Error>& Replica::failure() const { return driver_->failure(); }
Task<> Replica::stop() { return driver_->stop(); }

}  // namespace kiseki::raft
