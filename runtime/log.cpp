// The log sink. One mutex around the sink: it is called by one thread at a time, and replacing it waits until
// no call is under way.
#include <troupe/log.hpp>

#include <cstdio>
#include <mutex>
#include <string>

namespace troupe {
namespace {

struct destination {
  std::mutex mutex;
  log_sink sink;
};

destination& the_destination() {
  static destination* const d = new destination;  // never destroyed: threads may log until the very end
  return *d;
}

void write_to_standard_error(log_level level, std::string_view line) {
  if (level < log_level::info) return;
  std::string text = "troupe: ";
  // Lines may quote what a peer sent: it must not forge lines or drive the terminal.
  for (const char c : line) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

void set_log_sink(log_sink sink) {
  destination& d = the_destination();
  const std::lock_guard lock(d.mutex);
  d.sink.swap(sink);
}

void log(log_level level, std::string_view line) noexcept {
  try {
    destination& d = the_destination();
    const std::lock_guard lock(d.mutex);
    if (d.sink)
      d.sink(level, line);
    else
      write_to_standard_error(level, line);
  } catch (...) {
    // A sink that throws loses its line, not the program.
  }
}

}  // namespace troupe
