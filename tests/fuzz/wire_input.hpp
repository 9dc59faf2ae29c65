// One input of the fuzzer of what peers say on a socket (wire_fuzzer.cpp; wire_fuzz_test.cpp runs it on random ones). The first byte
// chooses: a greeting, whose parts are parsed, and if that goes well written and parsed again; or a segment of frames, in the order of the
// stream, for a receiver whose host decodes a message. Whatever comes, nothing is read beyond the input, no count is believed,
// and a greeting that is understood means the same when it is said again.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include <troupe/codec.hpp>

#include "handshake.hpp"
#include "receiving_stream.hpp"

namespace fuzz {

using namespace troupe::detail;

/// What the host of the receiver takes messages for.
struct wire_note {
  std::uint64_t number;
  std::string text;
  std::vector<std::vector<std::uint16_t>> lists;
};

inline void wire_must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the wire: %s\n", what);
  std::abort();
}

/// A session that is nowhere.
class no_session final : public session {
 public:
  const node_identity& peer() const noexcept override { return peer_; }
  worker& home() const noexcept override { std::abort(); }
  lane_kind lane() const noexcept override { return lane_kind::tcp; }
  std::string lane_reason() const override { return peer_.name; }
  const std::optional<troupe::endpoint>& dialled_at() const noexcept override { return nowhere_; }
  bool is_near() const noexcept override { return false; }
  std::uint64_t frames_out() const noexcept override { return 0; }
  std::uint64_t frames_in() const noexcept override { return 0; }
  bool stalled() const noexcept override { return false; }
  bool suspended() const noexcept override { return false; }
  std::uint64_t resumed() const noexcept override { return 0; }
  std::uint64_t duplicates() const noexcept override { return 0; }
  void supersede(link_end) override {}
  void consumed(const held_credit&) override {}
  void close() override {}

 private:
  node_identity peer_;
  std::optional<troupe::endpoint> nowhere_;
};

class receiver_under_attack final : frame_sink, session_host {
 public:
  void hear(byte_view frames, std::uint16_t count) {
    segment_header header;
    header.length = static_cast<std::uint32_t>(segment_header_bytes + frames.size());
    header.frames = count;
    header.first = stream_.received() + 1;
    const std::uint64_t before = stream_.received();
    const char* const wrong = stream_.take(header, frames, {});
    wire_must(wrong != nullptr || stream_.received() == before + count, "a frame was not counted");
  }

 private:
  session& as_session() noexcept override { return session_; }
  session_host& host() noexcept override { return *this; }
  bool live() const noexcept override { return true; }
  bool credited(std::uint32_t stream, std::uint32_t, std::uint32_t) override { return stream == 0; }
  const char* borrowed(const loan_entry&, troupe::bulk&) override { return "nothing is lent"; }
  const char* loan_returned(std::uint64_t) override { return nullptr; }
  const char* slab_refused(std::uint32_t) override { return nullptr; }
  const char* lane_note(frame_kind, std::uint32_t) override { return nullptr; }
  const char* slab_mapped(std::uint32_t) override { return nullptr; }

  troupe::result<void> admit(const node_identity&) override { return {}; }
  void stream_up(worker&, session&, out_stream&) override {}
  void link_up(session&) override {}
  route_binding bind(session&, std::uint64_t target, std::string_view) override {
    return {&deliver, 0, target, target % 2 == 1};
  }
  void reply(session&, std::uint64_t, troupe::errc, troupe::reader& body, const troupe::bulk&) override {
    wire_note n;
    wire_type_of<wire_note>.decode(body, &n, false);
  }
  void control(session&, const control_note& note) override {
    wire_must(note.text.size() <= 256, "a note is too long");
  }
  void link_stalled(session&) override {}
  void lane_changed(session&) override {}
  void stream_acked(worker&, std::uint64_t) override {}
  void stream_down(worker&, session&, std::uint64_t) override {}
  void link_down(session&, link_end, std::string_view) override {}
  static void deliver(std::uint64_t, std::uint64_t target, session&, inbound_message& message) {
    wire_note n;
    wire_type_of<wire_note>.decode(message.body, &n, target % 2 == 1);
  }

  no_session session_;
  receiving_stream stream_{0, {128 * 1024, 16, 16, 1 << 20}, static_cast<frame_sink&>(*this)};
};

inline void hear_greeting(byte_view raw) {
  if (raw.size() < greeting_header_bytes) return;
  const auto header = parse_header(raw.first(greeting_header_bytes));
  if (!header) return;
  const byte_view body = raw.subspan(greeting_header_bytes);
  const auto body_of = [](const std::vector<std::byte>& said) {
    return byte_view(said).subspan(greeting_header_bytes);
  };
  if (const auto h = parse_hello(body)) {
    const std::vector<std::byte> said = greet(greeting_kind::hello, *h);
    const auto again = parse_hello(body_of(said));
    wire_must(again && again->node.id == h->node.id && again->session == h->session && again->host == h->host,
              "a hello means something else when it is said again");
  }
  if (const auto r = parse_resumption(body)) {
    const std::vector<std::byte> said = greet(*r);
    const auto again = parse_resumption(body_of(said));
    wire_must(again && again->to == r->to && again->attempt == r->attempt && again->arrived == r->arrived,
              "a resumption means something else when it is said again");
  }
  if (const auto a = parse_arrived(body)) {
    const std::vector<std::byte> said = greet(*a);
    wire_must(parse_arrived(body_of(said)) == a, "what has arrived is something else when it is said again");
  }
  (void)parse_refusal(body);
  (void)parse_memory_offer(body);
}

inline void hear_anything(std::span<const std::uint8_t> input) {
  if (input.empty()) return;
  const byte_view rest = std::as_bytes(input.subspan(1));
  if (input[0] == 0) return hear_greeting(rest);
  receiver_under_attack().hear(rest.first(std::min(rest.size(), max_frame)), input[0]);
}

}  // namespace fuzz
