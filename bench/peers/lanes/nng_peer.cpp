// nng: a pair of sockets, over a Unix socket (for the group shm) or over TCP (TRANSPORT says which).
#include <cstring>

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include "socket_cases.hpp"

namespace bench {
namespace {

class pair_socket {
 public:
  pair_socket() { check(nng_pair0_open(&socket_) == 0, "nng: no socket"); }
  std::string listen() {
    nng_listener listener;
    if (std::strcmp(TRANSPORT, "tcp") != 0) {
      const std::string where = "abstract://troupe-bench-" + std::to_string(getpid());
      check(nng_listen(socket_, where.c_str(), &listener, 0) == 0, "nng: cannot listen");
      return where;
    }
    check(nng_listen(socket_, "tcp://127.0.0.1:0", &listener, 0) == 0, "nng: cannot listen");
    int port = 0;
    check(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0, "nng: no port");
    return "tcp://127.0.0.1:" + std::to_string(port);
  }
  void connect(const std::string& where) {
    check(nng_dial(socket_, where.c_str(), nullptr, 0) == 0, "nng: cannot connect");
  }
  void send(std::span<const std::byte> bytes) {
    check(nng_send(socket_, const_cast<std::byte*>(bytes.data()), bytes.size(), 0) == 0, "nng: cannot send");
  }
  void receive(std::span<std::byte> room) {
    std::size_t size = room.size();
    check(nng_recv(socket_, room.data(), &size, 0) == 0 && size == room.size(), "nng: cannot receive");
  }

 private:
  nng_socket socket_{};
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  std::vector<bench_case> all;
  add_rtts<pair_socket>(all);
  add_oneway<pair_socket>(all, 50);
  add_loads<pair_socket>(all, 4);
  return run_peer("nng", all, argc, argv);
}
