// A named pipe (FIFO): an actor reads the orders that other programs write into it, here a shell and a process of this program.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <troupe/troupe.hpp>

using namespace std::chrono_literals;
using troupe::byte_stream;
using troupe::fifo_use;

/// In a folder of its own; both are there as long as this.
struct fifo {
  std::string folder = std::filesystem::temp_directory_path() / "orders-XXXXXX";
  std::string path = (::mkdtemp(folder.data()) != nullptr ? folder : "") + "/door";
  fifo() {
    if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("cannot make a FIFO at " + path);
  }
  ~fifo() { std::filesystem::remove_all(folder); }
};

// Who reads.

struct next_order {
  using reply = std::string;
};

/// Reads when it is asked for an order: when nobody asks, writers wait, once the FIFO is full.
troupe::actor run_counter(troupe::self<next_order> me, std::string path) {
  const auto orders = byte_stream::open_fifo(path, fifo_use::read);  // which waits for nobody
  if (!orders) throw std::runtime_error(orders.error().text);
  co_await me.serve([&](next_order) -> troupe::task<troupe::result<std::string>> {
    const auto line = co_await orders->read_line(80);
    co_return line;
  });
}

// Who write.

troupe::task<int> order_tea(std::string path) {
  const auto counter = byte_stream::open_fifo(path, fifo_use::write);
  if (!counter) std::fprintf(stderr, "%s\n", counter.error().text.c_str());
  if (!counter) co_return 1;
  const auto ordered = co_await counter->write("tea\n");
  co_return ordered ? 0 : 1;
}

troupe::task<int> take_orders(troupe::node& node) {
  const fifo door;
  const auto too_early = byte_stream::open_fifo(door.path, fifo_use::write);
  std::printf("%s\n", too_early ? "somebody reads it already" : too_early.error().text.c_str());

  const troupe::program shell{
      .path = "sh", .arguments = {"-c", "for dish in soup salad; do echo $dish > \"$0\"; done", door.path}};
  const troupe::program guest{.path = "/proc/self/exe", .arguments = {"guest", door.path}};
  const auto counter = node.spawn(run_counter, door.path);
  node.spawn(troupe::run_process, shell);
  std::string taken;
  while (taken != "soup salad tea ") {
    const auto order = co_await counter.ask<next_order>().within(20s);
    if (!order) co_return 1;
    std::printf("%s\n", order->c_str());
    taken += *order + " ";
    if (*order == "salad")
      node.spawn(troupe::run_process, guest);  // the shell has closed it: another one may come
  }
  co_return too_early ? 1 : 0;
}

troupe::task<int> start(troupe::node& node, troupe::arguments given) {
  if (given.size() == 2 && given[0] == "guest") return order_tea(given[1]);
  return take_orders(node);
}

int main(int argc, char** argv) { return troupe::run(argc, argv, start); }
