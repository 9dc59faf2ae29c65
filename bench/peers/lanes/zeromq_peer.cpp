// ZeroMQ: a pair of sockets, over a Unix socket (for the group shm) or over TCP (TRANSPORT says which).
#include <unistd.h>

#include <cstring>
#include <string>

#include <zmq.h>

#include "socket_cases.hpp"

namespace bench {
namespace {

/// One end. Without bounds it would hold the whole stream in memory.
class pair_socket {
 public:
  pair_socket() : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_PAIR)) {
    const int room = 1024;
    zmq_setsockopt(socket_, ZMQ_SNDHWM, &room, sizeof room);
    zmq_setsockopt(socket_, ZMQ_RCVHWM, &room, sizeof room);
  }
  std::string listen() {
    // An abstract one: of an end that is killed it leaves nothing in the file system.
    const std::string where = std::strcmp(TRANSPORT, "tcp") == 0
                                  ? "tcp://127.0.0.1:*"
                                  : "ipc://@troupe-bench-zeromq-" + std::to_string(::getpid());
    check(zmq_bind(socket_, where.c_str()) == 0, "zeromq: cannot listen");
    char bound[256];
    std::size_t size = sizeof bound;
    zmq_getsockopt(socket_, ZMQ_LAST_ENDPOINT, bound, &size);
    return bound;
  }
  void connect(const std::string& where) {
    check(zmq_connect(socket_, where.c_str()) == 0, "zeromq: cannot connect");
  }
  void send(std::span<const std::byte> bytes) {
    check(zmq_send(socket_, bytes.data(), bytes.size(), 0) == static_cast<int>(bytes.size()),
          "zeromq: cannot send");
  }
  void receive(std::span<std::byte> room) {
    check(zmq_recv(socket_, room.data(), room.size(), 0) == static_cast<int>(room.size()),
          "zeromq: cannot receive");
  }

 private:
  void* context_;
  void* socket_;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  std::vector<bench_case> all;
  add_rtts<pair_socket>(all);
  add_oneway<pair_socket>(all);
  add_loads<pair_socket>(all);
  return run_peer("zeromq", all, argc, argv);
}
