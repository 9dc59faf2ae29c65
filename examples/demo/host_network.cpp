// Hosts on this machine; see host_network.hpp.
#include "host_network.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace demo {

namespace {

constexpr int cannot_execute = 127;

int own_space() { return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }

/// A new namespace; this thread is where it was.
int new_space(int outside) {
  if (::unshare(CLONE_NEWNET) != 0) return -1;
  const int made = own_space();
  ::setns(outside, CLONE_NEWNET);
  return made;
}

/// In the new process: nothing but calls that are safe after fork.
[[noreturn]] void execute(int space, char* const* command, const std::vector<std::string>& paths) {
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nowhere, fd);
  if (::setns(space, CLONE_NEWNET) == 0) {
    for (const std::string& path : paths) ::execv(path.c_str(), command);
  }
  ::_exit(cannot_execute);
}

bool run_in(int space, std::vector<std::string> command) {
  std::vector<std::string> paths;
  for (const char* const folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
    paths.push_back(folder + command[0]);
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) execute(space, words.data(), paths);
  int status = -1;
  while (pid > 0 && ::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string port_of(std::size_t host) { return "port" + std::to_string(host); }

}  // namespace

host_network::stay::stay(int there, int back) : back_(back) { ::setns(there, CLONE_NEWNET); }
host_network::stay::~stay() { ::setns(back_, CLONE_NEWNET); }

troupe::result<std::unique_ptr<host_network>, troupe::setup_error> host_network::make(
    const std::vector<std::string>& hosts) {
  const std::string needs = "network namespaces need root, and the program ip (package iproute2): ";
  std::unique_ptr<host_network> made(new host_network(hosts));
  made->outside_ = own_space();
  made->bridge_ = made->outside_ < 0 ? -1 : new_space(made->outside_);
  if (made->bridge_ < 0)
    return troupe::setup_error(needs + "cannot make one: " + std::generic_category().message(errno));
  if (!run_in(made->bridge_, {"ip", "link", "add", "bridge0", "up", "type", "bridge"}))
    return troupe::setup_error(needs + "cannot make a bridge");
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (const std::string failed = made->add(i); !failed.empty())
      return troupe::setup_error(needs + "cannot do: " + failed);
  }
  return made;
}

host_network::~host_network() {
  for (const int fd : spaces_) ::close(fd);
  if (bridge_ >= 0) ::close(bridge_);
  if (outside_ >= 0) ::close(outside_);
}

/// What failed; empty: nothing.
std::string host_network::add(std::size_t host) {
  const int space = new_space(outside_);
  if (space < 0) return "unshare";
  spaces_.push_back(space);
  const std::string there = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(space);
  const std::string port = port_of(host);
  const std::string address = this->address(hosts_[host]) + "/24";
  const std::vector<std::pair<int, std::vector<std::string>>> steps = {
      {bridge_, {"ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", there}},
      {bridge_, {"ip", "link", "set", port, "master", "bridge0", "up"}},
      {space, {"ip", "address", "add", address, "dev", "eth0"}},
      {space, {"ip", "link", "set", "eth0", "up"}},
      {space, {"ip", "link", "set", "lo", "up"}},
  };
  for (const auto& [where, command] : steps) {
    if (run_in(where, command)) continue;
    std::string text;
    for (const std::string& word : command) text += (text.empty() ? "" : " ") + word;
    return text;
  }
  return "";
}

std::string host_network::address(const std::string& host) const {
  return "10.77.0." + std::to_string(std::ranges::find(hosts_, host) - hosts_.begin() + 1);
}

int host_network::space(const std::string& host) const {
  return spaces_.at(static_cast<std::size_t>(std::ranges::find(hosts_, host) - hosts_.begin()));
}

bool host_network::run(const std::string& host, const std::vector<std::string>& command) const {
  return run_in(space(host), command);
}

bool host_network::set_link(const std::string& host, bool up) const {
  const auto port = static_cast<std::size_t>(std::ranges::find(hosts_, host) - hosts_.begin());
  return run_in(bridge_, {"ip", "link", "set", port_of(port), up ? "up" : "down"});
}

bool host_network::break_connections(const std::string& host, const std::string& other) const {
  return run(host, {"ss", "--kill", "--tcp", "state", "established", "dst", address(other)});
}

}  // namespace demo
