// Numbered, timed lines that the bots, the demo and the tests say, so that whoever hears them can tell
// whether one is missing or out of order and how old it is: "#17 @1234567890 and more". Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace chat {

struct tick {
  std::uint64_t number = 0;  // 1, 2, 3 … of each speaker
  std::int64_t at = 0;       // the speaker's clock, ns
};

/// Padded to `length` bytes if it is shorter.
std::string tick_text(const tick& t, std::size_t length);
std::optional<tick> parse_tick(std::string_view text);

/// Whether a listener was there before anybody spoke, or may first hear any tick of a speaker.
enum class listens : std::uint8_t { from_the_first, from_now };

/// Checks the ticks that one listener hears.
class tick_book {
 public:
  explicit tick_book(listens since = listens::from_now) noexcept : since_(since) {}

  /// The listener was told that it did not get so many lines: gaps of as many are in order.
  void missed(std::uint64_t lines) noexcept { allowed_ += lines; }
  void heard(const std::string& speaker, const tick& t);
  std::uint64_t heard() const noexcept { return heard_; }
  std::uint64_t disorder() const noexcept {
    return disorder_;
  }  // ticks that came twice, too early or after a gap
  std::uint64_t last_of(const std::string& speaker) const;

 private:
  listens since_;
  std::map<std::string, std::uint64_t> last_;  // by speaker; at most most_speakers
  std::uint64_t heard_ = 0;
  std::uint64_t disorder_ = 0;
  std::uint64_t allowed_ = 0;  // of the lines missed, those that no gap has used up
};

}  // namespace chat
