// The log sink: where the runtime's few lines go (which backend, links up and down, dead letters, refusals).
#pragma once

#include <functional>
#include <string_view>

namespace troupe {

enum class log_level { debug, info, warning, error };

using log_sink = std::function<void(log_level, std::string_view line)>;

/// Replaces the sink; an empty function restores the default, which writes "troupe: LINE\n" for info and
/// above to standard error. Thread-safe; the sink is called by one thread at a time and must not call back in
/// here.
void set_log_sink(log_sink sink);

/// Writes one line. Thread-safe.
void log(log_level level, std::string_view line) noexcept;

}  // namespace troupe
