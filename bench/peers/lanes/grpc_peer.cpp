// gRPC: a server with the callback API in the far process. A round trip is a unary call; what goes one way is a stream of the
// client's, whose answer is the sum.
#include <thread>

#include <grpcpp/grpcpp.h>

#include "bench_case.hpp"
#include "grpc_peer.grpc.pb.h"
#include "packet.hpp"
#include "two_processes.hpp"

namespace bench {
namespace {

std::int64_t sum_of(const Packet& p) { return p.value(); }
std::int64_t sum_of(const Load& l) { return l.value() + l.bytes().back(); }

/// Sums a stream.
template <class Message>
class adder final : public grpc::ServerReadReactor<Message> {
 public:
  explicit adder(Sum* into) : into_(into) { this->StartRead(&came_); }
  void OnReadDone(bool more) override {
    if (!more) {
      into_->set_value(sum_);
      return this->Finish(grpc::Status::OK);
    }
    sum_ += sum_of(came_);
    this->StartRead(&came_);
  }
  void OnDone() override { delete this; }

 private:
  Sum* into_;
  Message came_;
  std::int64_t sum_ = 0;
};

class far_service final : public Far::CallbackService {
  grpc::ServerUnaryReactor* Return(grpc::CallbackServerContext* call, const Packet* p,
                                   Packet* back) override {
    *back = *p;
    grpc::ServerUnaryReactor* const answer = call->DefaultReactor();
    answer->Finish(grpc::Status::OK);
    return answer;
  }
  grpc::ServerReadReactor<Packet>* AddPackets(grpc::CallbackServerContext*, Sum* into) override {
    return new adder<Packet>(into);
  }
  grpc::ServerReadReactor<Load>* AddLoads(grpc::CallbackServerContext*, Sum* into) override {
    return new adder<Load>(into);
  }
};

std::int64_t there_and_back(Far::Stub& far, std::int64_t value) {
  grpc::ClientContext call;
  Packet there;
  Packet back;
  there.set_value(value);
  check(far.Return(&call, there, &back).ok(), "grpc: a call failed");
  return back.value();
}

/// Calls `near` with a stub of a server in another process.
template <class F>
double with_far(F near) {
  const far_side far([](auto tell) {
    far_service service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    check(server != nullptr && port != 0, "grpc: cannot listen");
    tell("127.0.0.1:" + std::to_string(port));
    server->Wait();
  });
  const auto stub = Far::NewStub(grpc::CreateChannel(far.told(), grpc::InsecureChannelCredentials()));
  there_and_back(*stub, 0);  // connects
  return near(*stub);
}

/// `asleep`: with a pause before each round.
double rtt(Far::Stub& far, std::uint64_t rounds, bool asleep) {
  std::int64_t sum = 0;
  double ns = 0;
  for (std::uint64_t i = 0; i < rounds; ++i) {
    if (asleep) std::this_thread::sleep_for(asleep_after);
    const stopwatch watch;
    sum += there_and_back(far, static_cast<std::int64_t>(i));
    ns += watch.ns_each(1);
  }
  check(sum == sum_below(rounds), "rtt: the sum is wrong");
  return ns / static_cast<double>(rounds);
}

/// `end`: what is summed of a message beside its number.
template <class Message, class Open>
double oneway(Far::Stub& far, Open open, Message m, std::uint64_t count, std::uint64_t end) {
  grpc::ClientContext call;
  Sum sum;
  const stopwatch watch;
  const std::unique_ptr<grpc::ClientWriter<Message>> stream = (far.*open)(&call, &sum);
  for (std::uint64_t i = 0; i < count; ++i) {
    m.set_value(static_cast<std::int64_t>(i));
    check(stream->Write(m, grpc::WriteOptions().set_buffer_hint()), "grpc: cannot send");
  }
  stream->WritesDone();
  check(stream->Finish().ok(), "grpc: a stream failed");
  const double rate = watch.millions_per_second(count);
  check(sum.value() == sum_below(count) + static_cast<std::int64_t>(count * end), "oneway: the sum is wrong");
  return rate;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  constexpr std::uint64_t fewer = 10;
  std::vector<bench_case> all;
  const auto add = [&](const char* name, const char* unit, auto near) {
    all.push_back({name, 1, placement::free, unit, [near](const setting& how) {
                     return with_far([&](Far::Stub& far) { return near(far, how); });
                   }});
  };
  add("rtt_awake", "ns",
      [](Far::Stub& far, const setting& how) { return rtt(far, how.times(full_lane_rounds), false); });
  add("rtt_asleep", "ns",
      [](Far::Stub& far, const setting& how) { return rtt(far, how.times(full_asleep_rounds), true); });
  add("oneway", "M/s", [](Far::Stub& far, const setting& how) {
    return oneway(far, &Far::Stub::AddPackets, Packet(), how.times(full_lane_stream / fewer), 0);
  });
  for (const auto& [name, bytes] :
       {std::pair{"oneway_1k", 1u << 10}, {"oneway_64k", 1u << 16}, {"oneway_1m", 1u << 20}}) {
    add(name, "M/s", [size = bytes](Far::Stub& far, const setting& how) {
      Load l;
      l.set_bytes(std::string(size, '\1'));
      return oneway(far, &Far::Stub::AddLoads, l, how.times(full_lane_loads(size) / fewer), 1);
    });
  }
  return run_peer("grpc", all, argc, argv);
}
