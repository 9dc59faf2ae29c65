// iceoryx: samples in shared memory, a publisher and a subscriber for each direction; who has nothing to take sleeps in a wait
// set. Its publishers wait for room without sleeping for long.
//
// It needs its daemon, RouDi, of which a machine has one. Each measurement starts it as a process, and ends it when both sides
// of the case are gone; when this process is killed it ends too, and if a side held a lock then, the next RouDi takes away what
// it left in /dev/shm. The program iox-roudi would always leave that: it aborts when somebody whom it knows has been killed.
#include <cstring>
#include <memory>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/iceoryx_posh_config.hpp>
#include <iceoryx_posh/internal/roudi/roudi.hpp>
#include <iceoryx_posh/popo/publisher.hpp>
#include <iceoryx_posh/popo/subscriber.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/roudi/iceoryx_roudi_components.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

#include "socket_cases.hpp"

namespace bench {
namespace {

constexpr std::size_t sheet_room = sizeof(std::int64_t) + sheet_bytes;  // its number, and then the sheet

void be_quiet() {
  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kError,
                                                           iox::log::LogLevelOutput::kHideLogLevel);
}

/// RouDi, in a process of its own.
class roudi {
 public:
  roudi() {
    int ends[2];
    check(pipe(ends) == 0, "no pipe");
    const pid_t parent = getpid();
    process_ = fork();
    check(process_ >= 0, "cannot fork");
    if (process_ == 0) {
      close(ends[0]);
      run(parent, ends[1]);
    }
    close(ends[1]);
    char ready = 0;
    check(read(ends[0], &ready, 1) == 1, "iceoryx: cannot start RouDi, or one runs already");
    close(ends[0]);
  }
  roudi(const roudi&) = delete;
  roudi& operator=(const roudi&) = delete;
  ~roudi() {
    kill(process_, SIGTERM);
    waitpid(process_, nullptr, 0);
  }

 private:
  [[noreturn]] static void run(pid_t parent, int to_parent) {
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, nullptr);  // before there are threads: none of them takes it
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    check(getppid() == parent, "iceoryx: nobody waits for RouDi");
    be_quiet();
    const int nowhere = open("/dev/null", O_WRONLY);  // where it says what it does
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    serve(end, to_parent);
    std::_Exit(0);
  }
  static void serve(const sigset_t& end, int to_parent) {
    iox::mepoo::MePooConfig memory;
    memory.addMemPool({sizeof(packet), 2048});  // more than both queues hold
    memory.addMemPool({sheet_room, 64});
    const auto group = iox::posix::PosixGroup::getGroupOfCurrentProcess().getName();
    iox::RouDiConfig_t config;
    config.m_sharedMemorySegments.push_back({group, group, memory});
    iox::roudi::IceOryxRouDiComponents parts(config);
    const iox::roudi::RouDi daemon(parts.rouDiMemoryManager, parts.portManager,
                                   {iox::roudi::MonitoringMode::OFF, false});
    check(write(to_parent, "!", 1) == 1, "iceoryx: nobody waits for RouDi");
    int signal = 0;
    sigwait(&end, &signal);
  }

  pid_t process_ = -1;
};

using publisher = iox::popo::Publisher<packet>;
using subscriber = iox::popo::Subscriber<packet>;

iox::capro::ServiceDescription service(const std::string& name, const char* what) {
  return {"troupe", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, name),
          iox::capro::IdString_t(iox::cxx::TruncateToCapacity, what)};
}
iox::popo::PublisherOptions waits_for_all() {
  iox::popo::PublisherOptions options;
  options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  return options;
}
iox::popo::SubscriberOptions keeps_all() {
  iox::popo::SubscriberOptions options;
  options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  return options;
}

class sample_pair {
 public:
  sample_pair() {
    be_quiet();
    const std::string name = "troupe-bench-" + std::to_string(getpid());
    iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
  }
  std::string listen() {
    const std::string name = std::to_string(getpid());
    open(name, "there", "back");
    return name;
  }
  void connect(const std::string& name) {
    open(name, "back", "there");
    while (!out_->hasSubscribers() || in_->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void send(std::span<const std::byte> bytes) {
    auto sample = out_->loan();
    check(!sample.has_error() && bytes.size() == sizeof(packet), "iceoryx: cannot send");
    std::memcpy(sample.value().get(), bytes.data(), sizeof(packet));
    sample.value().publish();
  }
  void receive(std::span<std::byte> room) {
    for (;;) {
      const auto sample = in_->take();
      if (!sample.has_error()) {
        std::memcpy(room.data(), sample->get(), sizeof(packet));
        return;
      }
      check(sample.get_error() == iox::popo::ChunkReceiveResult::NO_CHUNK_AVAILABLE,
            "iceoryx: cannot receive");
      (void)wait_->wait();
    }
  }

 private:
  void open(const std::string& name, const char* in, const char* out) {
    in_ = std::make_unique<subscriber>(service(name, in), keeps_all());
    out_ = std::make_unique<publisher>(service(name, out), waits_for_all());
    wait_ = std::make_unique<iox::popo::WaitSet<>>();
    check(!wait_->attachState(*in_, iox::popo::SubscriberState::HAS_DATA).has_error(),
          "iceoryx: cannot wait");
  }

  std::unique_ptr<subscriber> in_;
  std::unique_ptr<publisher> out_;
  std::unique_ptr<iox::popo::WaitSet<>> wait_;
};

/// The readers of sheets, which share a thread.
class sheet_subscribers {
 public:
  explicit sheet_subscribers(const std::string& name) {
    iox::popo::SubscriberOptions few = keeps_all();
    few.queueCapacity = 8;
    for (unsigned i = 0; i < sheet_readers; ++i) {
      all_.push_back(std::make_unique<iox::popo::UntypedSubscriber>(service(name, "sheets"), few));
      check(!wait_.attachState(*all_.back(), iox::popo::SubscriberState::HAS_DATA).has_error(),
            "iceoryx: cannot wait");
    }
  }
  /// The sum of so many for each.
  std::int64_t read(std::uint64_t count) {
    std::int64_t sum = 0;
    for (std::uint64_t left = count * sheet_readers; left != 0;) {
      const std::uint64_t before = left;
      for (const auto& one : all_) {
        for (auto chunk = one->take(); !chunk.has_error(); chunk = one->take(), --left) {
          const auto* const bytes = static_cast<const std::byte*>(*chunk);
          sum += *static_cast<const std::int64_t*>(*chunk) +
                 sum_of_pages({bytes + sizeof(std::int64_t), sheet_bytes});
          one->release(*chunk);
        }
      }
      if (left == before) (void)wait_.wait();
    }
    return sum;
  }

 private:
  std::vector<std::unique_ptr<iox::popo::UntypedSubscriber>> all_;
  iox::popo::WaitSet<> wait_;
};

void publish_sheets(iox::popo::UntypedPublisher& to, std::uint64_t count) {
  const std::vector<std::byte> content(sheet_bytes, std::byte{1});
  for (std::uint64_t i = 0; i < count; ++i) {
    auto room = to.loan(sheet_room);
    while (room.has_error()) {  // until some were read
      std::this_thread::yield();
      room = to.loan(sheet_room);
    }
    *static_cast<std::int64_t*>(*room) = static_cast<std::int64_t>(i);
    std::memcpy(static_cast<std::byte*>(*room) + sizeof(std::int64_t), content.data(), sheet_bytes);
    to.publish(*room);
  }
}

double bulk_readers(const setting& how) {
  const std::uint64_t count = how.times(full_lane_loads(sheet_bytes));
  const far_side far([&](auto tell) {
    sample_pair socket;
    const std::string name = socket.listen();
    sheet_subscribers readers(name);
    tell(name);
    send_packet(socket, readers.read(count));
  });
  sample_pair socket;
  socket.connect(far.told());
  iox::popo::UntypedPublisher out(service(far.told(), "sheets"), waits_for_all());
  while (!out.hasSubscribers()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // RouDi makes them known one after the other
  const stopwatch watch;
  publish_sheets(out, count);
  const std::int64_t sum = receive_packet(socket);
  const double rate = watch.millions_per_second(count * sheet_readers);
  check(sum == sheet_readers * sum_of_sheets(count), "bulk_readers: the sum is wrong");
  return rate;
}

/// The cases, each in a process of its own beside a RouDi of its own.
std::vector<bench_case> cases_with_roudi() {
  std::vector<bench_case> all;
  add_rtts<sample_pair>(all);
  add_oneway<sample_pair>(all, 10);
  all.push_back({"bulk_readers", 1, placement::free, "M/s", bulk_readers});
  for (bench_case& c : all) {
    c.ours = [measure = c.ours](const setting& how) {
      const roudi daemon;
      const far_side near([&](auto tell) { tell(std::to_string(measure(how))); });
      check(!near.told().empty(), "iceoryx: nothing was measured");
      return std::stod(near.told());
    };
  }
  return all;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::run_peer("iceoryx", bench::cases_with_roudi(), argc, argv); }
