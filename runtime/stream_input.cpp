#include "stream_input.hpp"

#include <algorithm>

namespace troupe::detail {

void stream_input::append(std::string_view bytes) {
  if (skipping_) {
    const std::size_t lf = bytes.find('\n');
    if (lf == bytes.npos) return;
    skipping_ = false;
    bytes.remove_prefix(lf + 1);
  }
  bytes_.erase(0, begin_);
  begin_ = 0;
  bytes_.append(bytes);
}

void stream_input::drop(std::size_t count) noexcept {
  begin_ += count;
  scanned_ = 0;
}

result<std::string> stream_input::take_some(std::size_t most) {
  if (unread().empty()) return end_;
  std::string taken(unread().substr(0, most));
  drop(taken.size());
  return taken;
}

std::size_t stream_input::find_end_of_line() noexcept {
  const std::size_t lf = unread().find('\n', scanned_);
  scanned_ = std::min(lf, unread().size());
  return lf;
}

bool stream_input::has_line(std::size_t most) noexcept {
  if (find_end_of_line() != std::string_view::npos || ended()) return true;
  // One byte more may be the CR of a CRLF that is still to come.
  const std::size_t size = unread().size();
  return size > most && (size - most > 1 || unread().back() != '\r');
}

result<std::string> stream_input::take_line(std::size_t most) {
  const std::size_t lf = find_end_of_line();
  const bool terminated = lf != std::string_view::npos;
  std::string_view line = unread().substr(0, lf);
  const std::size_t used = line.size() + (terminated ? 1 : 0);
  if (used == 0) return end_;
  if (terminated && line.ends_with('\r')) line.remove_suffix(1);
  if (line.size() > most) {
    skipping_ = !terminated;
    drop(used);
    return errc::too_large;
  }
  std::string taken(line);
  drop(used);
  return taken;
}

}  // namespace troupe::detail
