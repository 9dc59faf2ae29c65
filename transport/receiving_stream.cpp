#include "receiving_stream.hpp"

#include <algorithm>

#include <troupe/assert.hpp>

#include "destinations.hpp"
#include "sending_stream.hpp"

namespace troupe::detail {

receiving_stream::order receiving_stream::classify(const segment_header& header) const noexcept {
  if (header.first == next_) return order::next;
  if (header.first == 0 || header.first > next_ || header.frames > next_ - header.first) return order::broken;
  return order::duplicate;
}

std::string receiving_stream::take(const segment_header& header, byte_view frames, instant now) {
  if (said_goodbye_ && header.frames != 0) return "a frame after the goodbye";
  std::uint32_t count = 0;
  while (!frames.empty()) {
    const std::optional<frame_view> frame = next_frame(frames);
    if (!frame) return "a frame with a length, kind or flag that does not exist";
    if (++count > header.frames) return "more frames in a segment than its header says";
    if (frame->ignorable) continue;
    if (said_goodbye_) return "a frame after the goodbye";
    std::string wrong = take_frame(*frame, now);
    if (!wrong.empty()) return wrong;
    if (!sink_.live()) return {};
  }
  if (count != header.frames) return "fewer frames in a segment than its header says";
  next_ += count;
  return {};
}

std::string receiving_stream::take_frame(const frame_view& frame, instant now) {
  const bool may_correlate =
      frame.header.kind == frame_kind::message || frame.header.kind == frame_kind::reply;
  if (frame.header.correlation != 0 && !may_correlate) return "a correlation on a frame that has none";
  if (frame.header.remaining_ns != 0 &&
      (frame.header.kind != frame_kind::message || frame.header.correlation == 0))
    return "a deadline on no request";
  switch (frame.header.kind) {
    case frame_kind::message: return take_message(frame, now);
    case frame_kind::reply: return take_reply(frame);
    case frame_kind::route: return take_route(frame);
    case frame_kind::credit: return take_credit(frame);
    case frame_kind::control: return take_control(frame);
    default: break;
  }
  if (!frame.body.empty()) return "a goodbye with a body";
  said_goodbye_ = true;
  return {};
}

std::string receiving_stream::take_message(const frame_view& frame, instant now) {
  if (frame.header.route >= routes_.size()) return "a message on a route that was never named";
  const route_state route = routes_[frame.header.route];
  if (route.binding.deliver == nullptr) return "a message on a route that was never named";
  if (frame.body.size() > max_encoded_message) return "a message over 64 KiB";
  const auto cost = static_cast<std::uint32_t>(frame.body.size()) + message_overhead;
  window_state& window = windows_[route.window];
  if (cost > limits_.window_bytes - window.used) return "a message beyond its destination's credit";
  window.used += cost;

  reader body(frame.body, sink_.as_session().cookie);
  instant deadline{};
  if (frame.header.remaining_ns != 0) {
    const auto most = static_cast<std::uint64_t>((instant::max() - now).count());
    deadline = now + duration(static_cast<duration::rep>(std::min(frame.header.remaining_ns, most)));
  }
  inbound_message message{
      body, route.binding.longer_schema, frame.header.correlation, deadline, {number_, route.window, cost}};
  route.binding.deliver(route.binding.cookie, route.binding.cookie2, sink_.as_session(), message);
  if (!body.ok()) return "a message body that does not decode";
  return {};
}

std::string receiving_stream::take_reply(const frame_view& frame) {
  if (frame.header.correlation == 0) return "a reply without a correlation";
  if (frame.header.route > static_cast<std::uint32_t>(errc::io_failed))
    return "a reply with an unknown status";
  if (frame.body.size() > max_encoded_message) return "a reply over 64 KiB";
  reader body(frame.body, sink_.as_session().cookie);
  sink_.host().reply(sink_.as_session(), frame.header.correlation, static_cast<errc>(frame.header.route),
                     body);
  if (!body.ok()) return "a reply body that does not decode";
  return {};
}

std::string receiving_stream::take_route(const frame_view& frame) {
  if (frame.body.size() < route_fixed_bytes) return "a route frame that is too short";
  const auto target = load<std::uint64_t>(frame.body.data());
  const auto window = load<std::uint32_t>(frame.body.data() + 8);
  const auto schema = load<std::uint32_t>(frame.body.data() + 12);
  const byte_view text = frame.body.subspan(route_fixed_bytes);
  if (frame.header.route >= limits_.routes) return "a route number over the limit";
  if (window >= limits_.windows) return "a destination number over the limit";
  if (schema >= max_schemas) return "a schema number over the limit";
  if (text.size() > max_schema_text) return "a schema text over 16 KiB";
  if (text.empty() && (schema >= schemas_.size() || schemas_[schema].empty()))
    return "a schema that was never told";

  if (!text.empty()) {
    if (schemas_.size() <= schema) schemas_.resize(schema + 1);
    schemas_[schema].resize(text.size());
    std::memcpy(schemas_[schema].data(), text.data(), text.size());
  }
  if (windows_.size() <= window) windows_.resize(window + 1);
  window_state& w = windows_[window];
  if (w.used != 0 && w.target != target) return "a destination number taken over while its credit is out";
  w.target = target;
  if (routes_.size() <= frame.header.route) routes_.resize(frame.header.route + 1);
  const route_binding binding = sink_.host().bind(sink_.as_session(), target, schemas_[schema]);
  TROUPE_ASSERT(binding.deliver != nullptr,
                "bind() answers with a function; unknown targets make dead letters");
  routes_[frame.header.route] = {binding, window};
  return {};
}

std::string receiving_stream::take_credit(const frame_view& frame) {
  if (frame.body.empty() || frame.body.size() % credit_entry_bytes != 0)
    return "a credit frame of a wrong length";
  for (byte_view rest = frame.body; !rest.empty(); rest = rest.subspan(credit_entry_bytes)) {
    const auto window = load<std::uint32_t>(rest.data());
    const auto bytes = load<std::uint32_t>(rest.data() + 4);
    if (!sink_.credited(frame.header.route, window, bytes)) return "more credit than was owed";
  }
  return {};
}

std::string receiving_stream::take_control(const frame_view& frame) {
  if (frame.body.size() < control_fixed_bytes) return "a control frame that is too short";
  const byte_view text = frame.body.subspan(control_fixed_bytes);
  if (text.size() > max_control_text || frame.header.route > 0xFFFF) return "a control frame over its limits";
  char copy[max_control_text];
  if (!text.empty()) std::memcpy(copy, text.data(), text.size());
  control_note note;
  note.kind = static_cast<std::uint8_t>(frame.header.route);
  note.code = static_cast<std::uint8_t>(frame.header.route >> 8);
  note.subject = load<std::uint64_t>(frame.body.data());
  note.object = load<std::uint64_t>(frame.body.data() + 8);
  note.text = {copy, text.size()};
  sink_.host().control(sink_.as_session(), note);
  return {};
}

bool receiving_stream::owe(std::uint32_t window, std::uint32_t bytes) {
  TROUPE_ASSERT(window < windows_.size() && bytes <= windows_[window].used - windows_[window].owed,
                "give a message's credit back once");
  const bool first = windows_[window].owed == 0;
  windows_[window].owed += bytes;
  return first;
}

void receiving_stream::repaid(std::uint32_t window) noexcept {
  windows_[window].used -= windows_[window].owed;
  windows_[window].owed = 0;
}

}  // namespace troupe::detail
