#include "receiving_stream.hpp"

#include <algorithm>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

#include "chunk_queue.hpp"
#include "destinations.hpp"
#include "sending_stream.hpp"

namespace troupe::detail {

receiving_stream::order receiving_stream::classify(const segment_header& header) const noexcept {
  if (header.first == next_) return order::next;
  if (header.first == 0 || header.first > next_ || header.frames > next_ - header.first) return order::broken;
  return mutated(mutant::no_dedup) ? order::next : order::duplicate;
}

const char* receiving_stream::take(const segment_header& header, byte_view frames, instant now) {
  if (said_goodbye_ && header.frames != 0) return "a frame after the goodbye";
  std::uint32_t count = 0;
  apart_ = 0;
  frame_view frame;
  while (!frames.empty()) {
    if (!next_frame(frames, frame)) return "a frame with a length, kind or flag that does not exist";
    if (++count > header.frames) return "more frames in a segment than its header says";
    if (apart_ != 0)
      return "a frame behind one whose encoding lies apart";  // so that a segment is a bounded work
    if (frame.header.apart) apart_ = frame.header.total;
    if (frame.ignorable) continue;
    if (said_goodbye_) return "a frame after the goodbye";
    if (const char* const wrong = take_frame(frame, now)) return wrong;
    if (!sink_.live()) return nullptr;
  }
  if (count != header.frames) return "fewer frames in a segment than its header says";
  next_ += count;
  return nullptr;
}

namespace {

/// What is wrong with those that a frame has; null: nothing.
const char* objection_to_extensions(const frame_header& header) {
  const bool may_correlate = header.kind == frame_kind::message || header.kind == frame_kind::reply;
  if (header.correlation != 0 && !may_correlate) return "a correlation on a frame that has none";
  if (header.remaining_ns != 0 && (header.kind != frame_kind::message || header.correlation == 0))
    return "a deadline on no request";
  if (header.total != 0 && !may_correlate) return "chunks of what has none";
  if (header.lent != 0 && !may_correlate) return "a loan of what lends nothing";
  return nullptr;
}

}  // namespace

inline const char* receiving_stream::take_frame(const frame_view& frame, instant now) {
  if (!frame.header.is_plain()) {
    if (const char* const wrong = objection_to_extensions(frame.header)) return wrong;
  }
  switch (frame.header.kind) {
    case frame_kind::message: return take_message(frame, now);
    case frame_kind::reply: return take_reply(frame);
    case frame_kind::route: return take_route(frame);
    case frame_kind::credit: return take_credit(frame);
    case frame_kind::control: return take_control(frame);
    case frame_kind::chunk: return take_chunk(frame.body);
    case frame_kind::loans: return take_loan_notes(frame);
    case frame_kind::reads:
    case frame_kind::moved:
      return frame.body.empty() ? sink_.lane_note(frame.header.kind, frame.header.route)
                                : "a lane's note with a body";
    default: break;
  }
  if (!frame.body.empty()) return "a goodbye with a body";
  said_goodbye_ = true;
  return nullptr;
}

inline const char* receiving_stream::take_message(const frame_view& frame, instant now) {
  if (frame.header.route >= routes_.size()) return "a message on a route that was never named";
  const route_state& route = routes_[frame.header.route];
  if (route.binding.deliver == nullptr) return "a message on a route that was never named";
  if (frame.body.size() > max_chunk || frame.header.total > limits_.max_message)
    return "a message over its limit";
  const std::uint32_t cost = limits_.cost(frame.header, frame.body.size());
  const bool is_large = frame.header.total != 0 || frame.header.lent != 0;
  window_state& window = windows_[route.window];
  if (!limits_.lets_pass(window.used, cost) && !limits_.lets_overdraw(window.used, cost, is_large))
    return "a message beyond its destination's credit";
  count_used(window, window.used + cost);
  if (overdrafts_ > limits_.most_overdraft()) return "a message beyond its stream's credit";

  instant deadline{};
  if (frame.header.remaining_ns != 0) {
    const auto most = static_cast<std::uint64_t>((instant::max() - now).count());
    deadline = now + duration(static_cast<duration::rep>(std::min(frame.header.remaining_ns, most)));
  }
  return frame.header.begins() ? begin_chunked(frame, route, deadline)
                               : deliver(route, frame.header, deadline, frame.body, false);
}

inline const char* receiving_stream::deliver(const route_state& route, const frame_header& header,
                                             instant deadline, byte_view bytes, bool lost) {
  const std::uint32_t cost = limits_.cost(header, bytes.size());
  loans lent;
  if (const char* const wrong = take_loans(header, bytes, lent, lost)) return wrong;
  reader body(bytes, session_.cookie, lent.bulks);
  inbound_message message{body,     route.binding.longer_schema,  lost, header.correlation,
                          deadline, {number_, route.window, cost}};
  route.binding.deliver(route.binding.cookie, route.binding.cookie2, session_, message);
  if (!body.ok()) return "a message body that does not decode";
  return nullptr;
}

const char* receiving_stream::take_reply(const frame_view& frame) {
  if (frame.header.correlation == 0) return "a reply without a correlation";
  if (frame.header.route > static_cast<std::uint32_t>(errc::io_failed))
    return "a reply with an unknown status";
  if (frame.header.total > limits_.max_message || frame.body.size() > max_chunk)
    return "a reply over its limit";
  return frame.header.begins() ? begin_chunked(frame, {}, {}) : answer(frame.header, frame.body, false);
}

const char* receiving_stream::answer(const frame_header& header, byte_view bytes, bool lost) {
  loans lent;
  if (const char* const wrong = take_loans(header, bytes, lent, lost)) return wrong;
  reader body(bytes, session_.cookie, lent.bulks);
  const errc status = lost ? errc::no_memory : static_cast<errc>(header.route);
  host_.reply(session_, header.correlation, status, body, lent.encoding);
  if (!body.ok()) return "a reply body that does not decode";
  return nullptr;
}

const char* receiving_stream::begin_chunked(const frame_view& frame, const route_state& route,
                                            instant deadline) {
  if (under_way_) return "a chunked message or reply inside another";
  if (frame.header.total <= frame.body.size()) return "a chunked message or reply that is whole";
  under_way_ = chunked{frame.header, route, deadline, chunk_memory(frame.header.total)};
  return take_chunk(frame.body);
}

const char* receiving_stream::take_chunk(byte_view body) {
  if (!under_way_) return "a chunk of nothing";
  chunked& c = *under_way_;
  if (body.empty() || body.size() > max_chunk || body.size() > c.header.total - c.filled)
    return "a chunk of a length that cannot be";
  if (c.bytes != nullptr) {
    std::memcpy(c.bytes.get() + c.filled, body.data(), body.size());
  } else if (c.header.lent != 0) {
    constexpr std::size_t most = loan_list_bytes(attachments_out::most);
    c.end.insert(c.end.end(), body.begin(), body.end());
    if (c.end.size() > most) c.end.erase(c.end.begin(), c.end.end() - static_cast<std::ptrdiff_t>(most));
  }
  c.filled += body.size();
  if (c.filled != c.header.total) return nullptr;
  const chunked whole = std::move(c);
  under_way_.reset();
  const bool lost = whole.bytes == nullptr;
  const byte_view bytes = lost ? byte_view(whole.end) : byte_view(whole.bytes.get(), whole.filled);
  return whole.header.kind == frame_kind::message
             ? deliver(whole.route, whole.header, whole.deadline, bytes, lost)
             : answer(whole.header, bytes, lost);
}

void receiving_stream::count_used(window_state& window, std::uint32_t used) noexcept {
  overdrafts_ += limits_.overdraft(used) - limits_.overdraft(window.used);
  window.used = used;
}

const char* receiving_stream::take_route(const frame_view& frame) {
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
  const route_binding binding = host_.bind(session_, target, schemas_[schema]);
  TROUPE_ASSERT(binding.deliver != nullptr,
                "bind() answers with a function; unknown targets make dead letters");
  routes_[frame.header.route] = {binding, window};
  return nullptr;
}

const char* receiving_stream::take_credit(const frame_view& frame) {
  if (frame.body.empty() || frame.body.size() % credit_entry_bytes != 0)
    return "a credit frame of a wrong length";
  for (byte_view rest = frame.body; !rest.empty(); rest = rest.subspan(credit_entry_bytes)) {
    const auto window = load<std::uint32_t>(rest.data());
    const auto bytes = load<std::uint32_t>(rest.data() + 4);
    if (!sink_.credited(frame.header.route, window, bytes)) return "more credit than was owed";
  }
  return nullptr;
}

const char* receiving_stream::take_control(const frame_view& frame) {
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
  host_.control(session_, note);
  return nullptr;
}

/// Cuts the list of what is lent off the end of a body, and makes the encoding that lies apart the body. What was lost, or lends of a slab that was refused, is lost: only its
/// loans go back.
const char* receiving_stream::take_loans(const frame_header& header, byte_view& body, loans& out,
                                         bool& lost) {
  if (header.lent == 0) return nullptr;
  if (body.empty()) return "a loan without a list";
  const auto count = load<std::uint8_t>(body.data() + body.size() - 1);
  const std::size_t list = loan_list_bytes(count);
  if (count == 0 || count > attachments_out::most || list > body.size())
    return "a list of loans that cannot be";
  const byte_view entries = body.last(list);
  if (header.apart && list != body.size()) return "bytes beside an encoding that lies apart";
  out.bulks.resize(count);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const loan_entry one = load_loan(entries.data() + i * loan_bytes);
    if (const char* const wrong = sink_.borrowed(one, out.bulks[i])) return wrong;
    sum += one.size;
    lost = lost || out.bulks[i].empty();
    if (header.apart && i + 1 == count && one.size != header.total)
      return "a loan that is not the encoding that its frame says";
  }
  if (sum != header.lent) return "a list of loans that is not what its frame says";
  if (header.apart) {
    out.encoding = std::move(out.bulks.back());
    out.bulks.pop_back();
  }
  body = header.apart ? out.encoding.trusted_bytes() : body.first(body.size() - list);
  if (lost) {
    body = {};
    out.encoding = {};
  }
  return nullptr;
}

const char* receiving_stream::take_loan_notes(const frame_view& frame) {
  if (frame.header.route > static_cast<std::uint32_t>(loan_note::slabs_mapped))
    return "an unknown note of loans";
  const auto what = static_cast<loan_note>(frame.header.route);
  const bool given_back = what == loan_note::given_back;
  const std::size_t each = given_back ? sizeof(std::uint64_t) : sizeof(std::uint32_t);
  if (frame.body.empty() || frame.body.size() % each != 0) return "a note of loans of a wrong length";
  for (byte_view rest = frame.body; !rest.empty(); rest = rest.subspan(each)) {
    const char* const wrong = given_back ? sink_.loan_returned(load<std::uint64_t>(rest.data()))
                              : what == loan_note::slabs_refused
                                  ? sink_.slab_refused(load<std::uint32_t>(rest.data()))
                                  : sink_.slab_mapped(load<std::uint32_t>(rest.data()));
    if (wrong != nullptr) return wrong;
  }
  return nullptr;
}

bool receiving_stream::owe(std::uint32_t window, std::uint32_t bytes) {
  TROUPE_ASSERT(window < windows_.size() && bytes <= windows_[window].used - windows_[window].owed,
                "give a message's credit back once");
  const bool first = windows_[window].owed == 0;
  windows_[window].owed += bytes;
  return first;
}

void receiving_stream::repaid(std::uint32_t window) noexcept {
  window_state& w = windows_[window];
  count_used(w, w.used - std::exchange(w.owed, 0));
}

}  // namespace troupe::detail
