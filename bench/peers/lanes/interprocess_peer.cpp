// Boost.Interprocess: a message queue in shared memory for each direction.
#include <memory>

#include <boost/interprocess/ipc/message_queue.hpp>

#include "socket_cases.hpp"

namespace bench {
namespace {

namespace ipc = boost::interprocess;

class queue_pair {
 public:
  /// Makes both queues; the name of the pair.
  std::string listen() {
    const std::string name = "troupe-bench-" + std::to_string(getpid());
    in_ = std::make_unique<ipc::message_queue>(ipc::create_only, (name + "-0").c_str(), 1024, sizeof(packet));
    out_ =
        std::make_unique<ipc::message_queue>(ipc::create_only, (name + "-1").c_str(), 1024, sizeof(packet));
    return name;
  }
  /// Opens them, and takes their names away, so that nothing stays behind.
  void connect(const std::string& name) {
    out_ = std::make_unique<ipc::message_queue>(ipc::open_only, (name + "-0").c_str());
    in_ = std::make_unique<ipc::message_queue>(ipc::open_only, (name + "-1").c_str());
    ipc::message_queue::remove((name + "-0").c_str());
    ipc::message_queue::remove((name + "-1").c_str());
  }
  void send(std::span<const std::byte> bytes) { out_->send(bytes.data(), bytes.size(), 0); }
  void receive(std::span<std::byte> room) {
    std::size_t size = 0;
    unsigned priority = 0;
    in_->receive(room.data(), room.size(), size, priority);
    check(size == room.size(), "interprocess: cannot receive");
  }

 private:
  std::unique_ptr<ipc::message_queue> in_;
  std::unique_ptr<ipc::message_queue> out_;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  std::vector<bench_case> all;
  add_rtts<queue_pair>(all);
  add_oneway<queue_pair>(all);
  return run_peer("interprocess", all, argc, argv);
}
