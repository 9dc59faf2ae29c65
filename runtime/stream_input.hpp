// What a byte stream has received and nobody has taken yet, cut into lines on demand.
//
// Bounded by its users: bytes are added only while a reader wants more than is here, so it holds at most what
// the reader may take plus one chunk.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <troupe/result.hpp>

namespace troupe::detail {

class stream_input {
 public:
  void append(std::string_view bytes);
  /// Nothing comes after what is here: readers get `why` when it is used up.
  void end(error why) noexcept { end_ = why; }

  bool has_some() const noexcept { return !unread().empty() || ended(); }
  /// The bytes, at most `most`; or why there are none. Only if has_some().
  result<std::string> take_some(std::size_t most);

  /// A line, a line that is too long, or the end.
  bool has_line(std::size_t most) noexcept;
  /// Only if has_line(most).
  result<std::string> take_line(std::size_t most);

 private:
  bool ended() const noexcept { return end_.code != errc::ok; }
  std::string_view unread() const noexcept { return std::string_view(bytes_).substr(begin_); }
  std::size_t find_end_of_line() noexcept;
  void drop(std::size_t count) noexcept;

  std::string bytes_;
  std::size_t begin_ = 0;    // bytes_ before it are taken
  std::size_t scanned_ = 0;  // no LF in the first so many unread bytes
  bool skipping_ = false;    // up to the next LF: the rest of a line that was too long
  error end_;
};

}  // namespace troupe::detail
