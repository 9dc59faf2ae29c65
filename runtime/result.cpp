// The words for operating errors.
#include <troupe/result.hpp>

#include "os/errno_text.hpp"

namespace troupe {

std::string_view to_string(errc code) noexcept {
  switch (code) {
    case errc::ok: return "ok";
    case errc::full: return "full";
    case errc::no_such_actor: return "no such actor";
    case errc::stopped: return "stopped";
    case errc::expired: return "deadline passed";
    case errc::mailbox_full: return "mailbox full";
    case errc::shed: return "shed by a full mailbox";
    case errc::no_reply: return "no reply";
    case errc::handler_failed: return "handler failed";
    case errc::unreachable: return "unreachable";
    case errc::link_down: return "link down";
    case errc::too_large: return "too large";
    case errc::not_encodable: return "not encodable";
    case errc::not_found: return "not found";
    case errc::ambiguous: return "ambiguous name";
    case errc::wrong_protocol: return "wrong protocol";
    case errc::name_taken: return "name taken";
    case errc::not_offered: return "not offered";
    case errc::limit_reached: return "limit reached";
    case errc::bad_name: return "bad name";
    case errc::bad_message: return "bad message";
    case errc::closed: return "closed";
    case errc::no_memory: return "no memory";
    case errc::io_failed: return "input/output failed";
  }
  return "unknown error";
}

std::string error::text() const {
  std::string words(to_string(code));
  if (code == errc::io_failed && detail != 0) words += " (" + detail::errno_name_and_text(detail) + ")";
  if (code == errc::expired && detail > 0) words += " (queued at " + std::to_string(detail) + ")";
  if (code == errc::expired && detail == stage_running) words += " (running)";
  if (code == errc::expired && detail == stage_sent) words += " (sent to another node)";
  return words;
}

void throw_exception_from_error(const error& e, const boost::source_location&) { throw bad_result(e.text()); }
void throw_exception_from_error(const setup_error& e, const boost::source_location&) {
  throw bad_result(e.text);
}

}  // namespace troupe
