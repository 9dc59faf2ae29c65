// The service that the test of random kills puts under load (process_load.cpp is the child): numbered messages, each with a checksum, both
// ways. What the child has seen in all of its lives is in a file that every life maps.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include <troupe/bulk.hpp>
#include <troupe/protocol.hpp>
#include <troupe/ref.hpp>

namespace process_load {

/// FNV-1a over words and the bytes that are left.
inline std::uint64_t checksum(std::span<const std::byte> bytes, std::uint64_t seed) {
  std::uint64_t sum = 0xcbf29ce484222325 ^ seed;
  const auto mix = [&](std::uint64_t word) { sum = (sum ^ word) * 0x100000001b3; };
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    mix(word);
  }
  for (const std::byte b : bytes) mix(std::to_integer<unsigned>(b));
  return sum;
}
inline std::uint64_t checksum(const std::string& text, std::uint64_t seed) {
  return checksum(std::as_bytes(std::span(text)), seed);
}

// From the test to the child.
struct item {
  std::uint64_t number;
  std::uint64_t sum;
  std::string text;
};
struct sheet {
  std::uint64_t number;
  std::uint64_t sum;
  troupe::bulk bytes;
};
struct answer {
  std::uint64_t number = 0;
  std::uint64_t sum = 0;  // of the question's text
  std::int32_t pid = 0;
};
struct question {
  using reply = answer;
  std::uint64_t number;
  std::string text;
};

// And back.
struct drop {
  std::int32_t pid;
  std::uint64_t number;
  std::uint64_t sum;
  std::string text;
  troupe::bulk bytes;  // of every eighth; the sum is of both
};
/// From now on the child sends drops there.
struct pour {
  troupe::ref<drop> to;
};

using service = troupe::protocol<item, sheet, question, pour>;

struct ledger {
  struct sequence {
    std::atomic<std::uint64_t> last{0};
    std::atomic<std::uint64_t> count{0};
  };
  sequence items;
  sequence sheets;
  std::atomic<std::uint64_t> lives{0};
  std::atomic<std::uint64_t> cut_short{0};  // lives that ended themselves as they began
  std::atomic<std::uint64_t> torn{0};
  std::atomic<std::uint64_t> doubled{0};
  std::atomic<std::uint64_t> gaps{0};  // within one life
};

inline constexpr char name_variable[] = "TROUPE_LOAD_NAME";
inline constexpr char ledger_variable[] = "TROUPE_LOAD_LEDGER";

/// The main function of the child.
int run(int argc, char** argv);

}  // namespace process_load
