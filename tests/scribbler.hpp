// A hostile peer that writes at random whatever it may write: its memory that the victim reads (positions, gates, segments), while it
// is being read and after it was checked; well-formed segments of frames that make no sense; slabs, and notes of slabs, over the
// local socket; both doorbells. What it does follows from its seed, as far as the victim's timing lets it. Each life does only some
// of this (Groce et al., "Swarm testing", 2012): most lies end a link at once, and what goes on beside them is not seen.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>

#include <random>

#include "loans.hpp"
#include "shm_attacker.hpp"

namespace hostile {

class scribbler {
 public:
  /// Links with the node; throws if that does not work. `target` is an actor there that takes notes, and requests of that schema
  /// and of eight bytes.
  scribbler(const endpoint& at, std::uint64_t target, std::string_view request, std::uint64_t seed)
      : chance_(seed), target_(target), request_(request), attacker_(at) {
    if (!attacker_.offer(attacker_.honest())) throw std::runtime_error("the node did not take the memory");
    ring_.emplace(attacker_.memory.mine.ring(0), attacker_.memory.mine.writer(0).position,
                  attacker_.memory.theirs.reader(0).position);
    memory_ = {reinterpret_cast<std::byte*>(&attacker_.memory.mine.sleep()),
               shm_segment::size_for(1, 1, smallest_ring)};
  }

  /// One random thing. False: it was thrown out.
  bool act() {
    ++acts_;
    int what = 0;
    do {
      what = static_cast<int>(below(deeds));
    } while ((may_ >> what & 1) == 0);
    switch (what) {
      case 0: write_words(1 + below(below(2) == 0 ? 1 : 64)); break;
      case 1: write_bytes(memory_, 1 + below(below(2) == 0 ? 4096 : memory_.size())); break;
      case 2: say_of_slab(); break;
      case 3: pass_slab(); break;
      case 4: ring_strangely(); break;
      case 5: write_to_slab(); break;
      case 6: publish(false); break;
      default: publish(true); break;
    }
    if (below(4) != 0) attacker_.ring();
    return !thrown_out();
  }
  std::uint64_t acts() const noexcept { return acts_; }

 private:
  static constexpr unsigned deeds = 8;

  std::uint64_t below(std::uint64_t n) { return chance_() % n; }
  /// Numbers of the kind that checks forget.
  std::uint64_t number() {
    switch (below(8)) {
      case 0: return 0;
      case 1: return ~std::uint64_t{0} - below(64);
      case 2: return std::uint64_t{1} << below(64);
      case 3: return below(smallest_ring * 2) & ~std::uint64_t{7};
      case 4: return below(16);
      case 5: return target_;
      case 6: return attacker_.memory.mine.writer(0).position.load() + below(64) * 8;
      default: return chance_();
    }
  }
  void write_bytes(byte_span into, std::uint64_t many) {
    if (into.empty()) return;
    const std::size_t from = below(into.size());
    const std::size_t count = std::min<std::size_t>(many, into.size() - from);
    volatile std::byte* const to = into.data() + from;  // it is read meanwhile
    for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::byte>(chance_());
  }
  /// Among the words that the protocol of the ring stands on.
  void write_words(std::uint64_t many) {
    auto* const words = reinterpret_cast<volatile std::uint64_t*>(memory_.data());
    const std::size_t lines = 3 * sizeof(shm_line) / 8;  // asleep; written, wants_room; read
    for (std::uint64_t i = 0; i < many; ++i)
      words[below(4) != 0 ? below(lines) : below(memory_.size() / 8)] = number();
  }

  bytes random_bytes(std::size_t most) {
    bytes b(below(most + 1));
    for (std::byte& x : b) x = static_cast<std::byte>(below(4) == 0 ? chance_() : below(3));
    return b;
  }
  /// A frame as an honest peer could send it, with some of it at random.
  bytes some_frame() {
    frame_header header;
    header.kind = static_cast<frame_kind>(below(12) == 0 ? below(16) : 1 + below(8));
    header.route = static_cast<std::uint32_t>(below(3) == 0 ? number() : below(3));
    if (below(4) == 0) header.correlation = number();
    if (below(8) == 0) header.remaining_ns = number();
    if (below(8) == 0) header.total = below(3) == 0 ? number() : 70'000 + below(2'000'000);
    if (below(4) == 0) header.lent = below(2) == 0 ? 4096 : number();
    bytes body;
    switch (below(7)) {
      case 0: body = random_bytes(64); break;
      case 1: body = random_bytes(40'000); break;
      case 2: body = note_body(number(), "a word"); break;
      case 3:  // as of routes and of controls
        body = numbers(number(), static_cast<std::uint32_t>(below(3)), static_cast<std::uint32_t>(below(3)));
        append(body,
               bytes_of(below(2) == 0 ? wire_type_of<note>.schema : std::string_view("nonsense{u8 n;}")));
        break;
      case 4: body = numbers(number(), number()); break;
      case 5: body = numbers(number()); break;
      default: break;
    }
    if (header.lent != 0) {
      const std::uint64_t count = 1 + below(3);
      for (std::uint64_t i = 0; i < count; ++i)
        append(body,
               numbers(number(), below(2) == 0 ? 0 : number(), below(2) == 0 ? std::uint64_t{4096} : number(),
                       static_cast<std::uint32_t>(1 + below(slabs_.size() + 1))));
      append(body, numbers(static_cast<std::uint8_t>(below(4) == 0 ? below(256) : count)));
    }
    return frame(header, body);
  }
  /// A segment, at times one that changes while it is read; `honest`: of nothing but good messages.
  void publish(bool honest) {
    const byte_span room = ring_->open(0);
    if (room.empty()) return;
    std::vector<bytes> frames;
    if (!named_) frames = {route(0, target_), route(1, target_, 1, 1, request_)};
    named_ = true;
    std::size_t sum = 0;
    for (std::uint64_t i = below(4); sum < 50'000 && i != 0; --i) {
      if (!honest && below(3) == 0) {
        frames.push_back(some_frame());
      } else if (below(3) == 0) {
        frames.push_back(frame({frame_kind::message, 1, 1 + below(1000), 0, 0}, numbers(number())));
      } else {
        frames.push_back(message(0, note_body(number(), "honest")));
      }
      sum += frames.back().size();
    }
    const bytes raw = attacker_.peer.segment(frames, !honest && below(8) == 0 ? number() : 0);
    if (raw.size() > room.size()) return;
    std::ranges::copy(raw, room.begin());
    if (!honest && below(8) == 0) write_bytes(room.first(raw.size()), 1 + below(8));
    ring_->publish(raw.size());
    if (honest || below(2) == 0) return;
    attacker_.ring();
    for (std::uint64_t i = below(2000); i != 0; --i)
      write_bytes(room.first(raw.size()), 1 + below(8));  // while it is read
  }

  void tell(const bytes& note, std::span<const int> files) {
    (void)os_env().send_descriptors(attacker_.peer.fd, note, files);
  }
  void say_of_slab() {
    const std::uint32_t magic = below(4) == 0 ? static_cast<std::uint32_t>(number()) : 0x42415354;
    const bytes note =
        numbers(magic, static_cast<std::uint32_t>(below(8)), below(2) == 0 ? std::uint64_t{0} : number());
    const int file = below(2) == 0 ? attacker_.memory.ear.get() : attacker_.memory.memory_fd.get();
    const std::size_t size = below(4) == 0 ? 1 + below(note.size()) : note.size();
    tell({note.begin(), note.begin() + static_cast<std::ptrdiff_t>(size)}, {&file, below(2)});
  }
  /// One that can be used, and is used.
  void pass_slab() {
    if (slabs_.size() >= 8) return;
    auto made = os_env().create_segment((1 + below(16)) * 4096);
    if (!made) return;
    slabs_.push_back(std::move(*made));
    const int file = slabs_.back().first.get();
    tell(numbers(std::uint32_t{0x42415354}, static_cast<std::uint32_t>(slabs_.size()),
                 std::uint64_t{slabs_.back().second.size()}),
         {&file, 1});
  }
  void write_to_slab() {
    if (slabs_.empty()) return;
    const mapping& slab = slabs_[below(slabs_.size())].second;
    write_bytes({slab.data(), slab.size()}, 1 + below(4096));
  }
  void ring_strangely() {
    const int mine[] = {attacker_.memory.ear.get(), attacker_.memory.bell.heard.get(),
                        attacker_.memory.bell.rung.get()};
    const int fd = mine[below(3)];
    const bytes waste = random_bytes(2000);
    switch (below(5)) {
      case 0: (void)::fcntl(fd, F_SETFL, below(2) == 0 ? 0 : O_NONBLOCK); break;
      case 1:
        (void)::fcntl(attacker_.memory.bell.rung.get(), F_SETFL, O_NONBLOCK);
        (void)!::write(attacker_.memory.bell.rung.get(), waste.data(), waste.size());
        break;
      case 2: (void)os_env().hear(attacker_.memory.ear.get()); break;
      case 3: (void)::fcntl(fd, F_SETPIPE_SZ, 1 << below(20)); break;
      default:
        for (int i = 0; i < 100; ++i) attacker_.ring();
    }
  }
  bool thrown_out() {
    pollfd one{attacker_.peer.fd, POLLIN, 0};
    while (::poll(&one, 1, 0) == 1) {
      std::byte waste[256];
      if (::recv(attacker_.peer.fd, waste, sizeof waste, MSG_DONTWAIT) <= 0) return true;
    }
    return false;
  }

  std::mt19937_64 chance_;
  const std::uint64_t may_ =
      (1 + below((1u << deeds) - 1)) | (below(2) == 0 ? 0 : 1u << 7);  // the deeds of this life, a bit each
  const std::uint64_t target_;
  const std::string request_;
  shm_attacker attacker_;
  std::optional<ring_writer> ring_;
  byte_span memory_;
  std::vector<std::pair<descriptor, mapping>> slabs_;
  bool named_ = false;
  std::uint64_t acts_ = 0;
};

}  // namespace hostile
