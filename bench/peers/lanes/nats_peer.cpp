// NATS: a subject for each direction, by way of a server that each case starts, on a port of its own.
//
// Nobody holds a publisher back: what a subscriber has not taken yet waits in the server and in the subscriber's process, without
// bounds here, for what exceeds a bound would be dropped.
#include <filesystem>
#include <fstream>

#include <nats/nats.h>

#include "socket_cases.hpp"

namespace bench {
namespace {

/// {"nats": ["nats://127.0.0.1:4222"], …}
std::string url_in(const std::filesystem::path& ports) {
  for (int patience = 1000; patience != 0; --patience) {
    std::ifstream in(ports);
    const std::string said{std::istreambuf_iterator<char>(in), {}};
    const auto from = said.find("nats://");
    if (const auto to = said.find('"', from); from != said.npos && to != said.npos)
      return said.substr(from, to - from);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  check(false, "nats: the server does not start");
  return {};
}

/// On the loopback.
class server {
 public:
  server() {
    std::filesystem::create_directory(folder_);
    const std::string config = folder_ / "config";
    const std::string log = folder_ / "log";
    std::ofstream(config) << "host: 127.0.0.1\nport: -1\nmax_pending: 1GB\nwrite_deadline: \"60s\"\n"
                          << "max_payload: 2MB\nports_file_dir: " << folder_ << "\n";
    const pid_t parent = getpid();
    process_ = fork();
    check(process_ >= 0, "cannot fork");
    if (process_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      check(getppid() == parent, "the near side is gone");
      execlp("nats-server", "nats-server", "--config", config.c_str(), "--log", log.c_str(), nullptr);
      check(false, "nats: no nats-server");
    }
    url_ = url_in(folder_ / ("nats-server_" + std::to_string(process_) + ".ports"));
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  /// Of the one that there is, in the processes that were forked since, too.
  static const std::string& url() { return url_; }

 private:
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("troupe-bench-nats-" + std::to_string(getpid()));
  pid_t process_ = -1;
  static inline std::string url_;
};

/// How a client sends: each message by itself, or what there is when it gets round to it.
enum class when : std::uint8_t { at_once, together };

template <when Sends>
class subject_pair {
 public:
  std::string listen() {
    open(server::url(), "far", "near");
    return server::url();
  }
  void connect(const std::string& url) { open(url, "near", "far"); }

  void send(std::span<const std::byte> bytes) {
    check(natsConnection_Publish(connection_, to_, bytes.data(), static_cast<int>(bytes.size())) == NATS_OK,
          "nats: cannot send");
  }
  void receive(std::span<std::byte> room) {
    constexpr std::int64_t patience_ms = 60'000;
    natsMsg* came = nullptr;
    check(natsSubscription_NextMsg(&came, in_, patience_ms) == NATS_OK, "nats: cannot receive");
    check(static_cast<std::size_t>(natsMsg_GetDataLength(came)) == room.size(),
          "nats: a message of another size");
    std::memcpy(room.data(), natsMsg_GetData(came), room.size());
    natsMsg_Destroy(came);
  }

 private:
  void open(const std::string& url, const char* here, const char* there) {
    natsOptions* options = nullptr;
    const bool connected = natsOptions_Create(&options) == NATS_OK &&
                           natsOptions_SetURL(options, url.c_str()) == NATS_OK &&
                           natsOptions_SetSendAsap(options, Sends == when::at_once) == NATS_OK &&
                           natsConnection_Connect(&connection_, options) == NATS_OK;
    natsOptions_Destroy(options);
    check(connected, "nats: cannot connect");
    check(natsConnection_SubscribeSync(&in_, connection_, here) == NATS_OK &&
              natsSubscription_SetPendingLimits(in_, -1, -1) == NATS_OK &&
              natsConnection_Flush(connection_) == NATS_OK,
          "nats: cannot subscribe");
    to_ = there;
  }
  natsConnection* connection_ = nullptr;
  natsSubscription* in_ = nullptr;
  const char* to_ = nullptr;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  std::vector<bench_case> all;
  add_rtts<subject_pair<when::at_once>>(all);
  add_oneway<subject_pair<when::together>>(all, 8);
  add_loads<subject_pair<when::together>>(all, 8);
  for (bench_case& c : all) {
    c.ours = [run = c.ours](const setting& how) {
      const server beside;
      return run(how);
    };
  }
  return run_peer("nats", all, argc, argv);
}
