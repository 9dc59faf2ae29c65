// Hosts on this machine: a network namespace for each, with a veth pair to one bridge. What processes of two of them say to each
// other goes through the whole of TCP/IP, and a link can be taken down.
//
//   auto network = demo::host_network::make({"front", "back"});
//   (*network)->visit("front", [] { ... });        // 10.77.0.1; back has 10.77.0.2
//   (*network)->set_link("front", false);          // as if its cable was pulled
//
// The namespaces have no names: the kernel removes them, and all that is in them, with the last process and descriptor that
// refers to them, so nothing is left behind however this process ends. Needs root and iproute2. For one thread.
#pragma once

#include <memory>
#include <string>
#include <troupe/result.hpp>
#include <vector>

namespace demo {

class host_network {
 public:
  /// The error says what is missing, and what to do about it.
  static troupe::result<std::unique_ptr<host_network>, troupe::setup_error> make(
      const std::vector<std::string>& hosts);
  ~host_network();
  host_network(const host_network&) = delete;
  host_network& operator=(const host_network&) = delete;

  std::string address(const std::string& host) const;
  /// The descriptor of its network namespace.
  int space(const std::string& host) const;

  /// Calls `f` while this thread is on that host.
  template <class F>
  auto visit(const std::string& host, F f) const {
    const stay here(space(host), outside_);
    return f();
  }

  /// Runs a program there (ip, ss, nft: searched for in the folders of the system) and drops what it says; true if it ended with 0.
  bool run(const std::string& host, const std::vector<std::string>& command) const;

  /// A link that is down loses all that is sent over it, and nobody is told.
  bool set_link(const std::string& host, bool up) const;
  /// Breaks the TCP connections of that host with another one, as if the kernel had given them up. That one is told, if the
  /// link is up. A kernel without CONFIG_INET_DIAG_DESTROY does nothing.
  bool break_connections(const std::string& host, const std::string& other) const;

 private:
  class stay {
   public:
    stay(int there, int back);
    ~stay();
    stay(const stay&) = delete;
    stay& operator=(const stay&) = delete;

   private:
    int back_;
  };
  explicit host_network(const std::vector<std::string>& hosts) : hosts_(hosts) {}
  std::string add(std::size_t host);

  const std::vector<std::string> hosts_;
  int outside_ = -1;  // the namespace that this process was started in
  int bridge_ = -1;   // the bridge has one, too, so that nothing is to be seen of it outside
  std::vector<int> spaces_;
};

}  // namespace demo
