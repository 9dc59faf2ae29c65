#include "sending_stream.hpp"

#include <algorithm>

#include <troupe/assert.hpp>
#include <troupe/detail/checked.hpp>

namespace troupe::detail {

/// What a frame says of it.
static inline std::uint64_t remaining(instant deadline, worker& on) noexcept {
  if (deadline == instant{}) return 0;
  return static_cast<std::uint64_t>(std::max<duration::rep>((deadline - on.now()).count(), 1));
}

sending_stream::sending_stream(const setup& s)
    : session_(s.of),
      host_(s.host),
      events_(s.events),
      on_(s.on),
      duties_(s.duties),
      builder_(s.over.port(s.on.index()), s.over.checksum(), static_cast<std::uint8_t>(s.on.index()),
               s.duties),
      limits_(s.limits),
      destinations_(s.limits, s.on, flush_),
      board_(s.limits.windows, s.limits.most_out()) {
  if (s.lends != nullptr) loans_.emplace(*s.lends);
}

/// What it costs is known before it is encoded, and it lends nothing.
static inline bool is_small_and_flat(const wire_type& type) noexcept {
  return type.flat != 0 && type.flat <= max_chunk && type.schema.size() <= max_schema_text;
}

send_outcome sending_stream::try_send(const outgoing& what) {
  if (life_ != life::up) return send_outcome::closed;
  if (!side_queue_.empty() || somebody_waits_) return send_outcome::blocked;
  destination* const to = destinations_.open(what.target);
  if (to == nullptr || to->has_waiters()) return send_outcome::no_credit;
  return send_to(*to, what);
}

inline send_outcome sending_stream::send_to(destination& to, const outgoing& what) {
  if (is_small_and_flat(*what.type)) return send_flat(to, what);
  const send_outcome how = send_frame(to, what);
  settle_loans(how == send_outcome::sent);
  return how;
}

/// The way of nearly every message.
inline send_outcome sending_stream::send_flat(destination& to, const outgoing& what) {
  const std::uint32_t size = what.type->flat;
  const std::uint32_t cost = limits_.cost(size, 0);
  if (to.chunked != 0 || !destinations_.has_credit(to, cost)) return send_outcome::no_credit;
  const destination::route* const route = learn_route(to, what.type);
  if (route == nullptr) return send_outcome::blocked;
  const frame_header header{frame_kind::message, route->number, what.correlation,
                            remaining(what.deadline, on_)};
  const std::size_t bytes = header.bytes() + size;
  const byte_span space = builder_.space(bytes, room::ordinary);
  if (space.empty()) return send_outcome::blocked;
  write_frame_header(space.data(), header, size);
  std::memcpy(space.data() + header.bytes(), what.message, size);
  destinations_.spend(to, cost);
  builder_.add(bytes, true);
  on_.defer(flush_);
  return send_outcome::sent;
}

send_outcome sending_stream::send_frame(destination& to, const outgoing& what) {
  if (to.chunked != 0) return send_outcome::no_credit;
  const bool is_spent = !destinations_.has_credit(to, message_overhead);
  if (is_spent && encoded_size(*what.type, what.message, what.codec_context, loans()) <= max_chunk)
    return send_outcome::no_credit;
  if (what.type->schema.size() > max_schema_text) return send_outcome::too_large;
  const destination::route* const route = learn_route(to, what.type);
  if (route == nullptr) return send_outcome::blocked;

  frame_header header{frame_kind::message, route->number, what.correlation, 0, 0};
  header.remaining_ns = remaining(what.deadline, on_);
  std::size_t bytes = 0;
  const send_outcome how = encode(header, what.type, what.message, what.codec_context, room::ordinary, bytes);
  if (how == send_outcome::too_large) return send_large(to, what, header);
  if (how != send_outcome::sent) return how;
  const std::uint32_t cost = limits_.cost(bytes, header.lent);
  if (!destinations_.has_credit(to, cost, header.lent != 0)) return send_outcome::no_credit;
  destinations_.spend(to, cost);
  builder_.add(header.bytes() + bytes, true);
  on_.defer(flush_);
  return send_outcome::sent;
}

send_outcome sending_stream::send_large(destination& to, const outgoing& what, frame_header header) {
  const std::size_t bytes = encoded_size(*what.type, what.message, what.codec_context, loans());
  if (bytes <= max_chunk) return send_outcome::not_encodable;
  if (bytes > limits_.max_message) return send_outcome::too_large;
  const std::uint32_t cost = limits_.cost(bytes, loans_ ? loans_->lent_bytes() : 0);
  if (!destinations_.has_credit(to, cost, true)) return send_outcome::no_credit;
  const send_outcome how =
      encode_apart(header, *what.type, what.message, what.codec_context, room::ordinary, bytes);
  if (how == send_outcome::no_memory) return send_chunked(to, what, header, bytes, cost);
  if (how == send_outcome::sent) destinations_.spend(to, limits_.cost(header, 0));
  return how;
}

/// Publishes its frame. no_memory: it does not go this way.
send_outcome sending_stream::encode_apart(frame_header& header, const wire_type& type, const void* body,
                                          void* context, room from, std::size_t bytes) {
  if (!loans_ || bytes <= least_apart) return send_outcome::no_memory;
  const std::size_t size = bytes - loans_->bytes();
  const std::size_t list = loans_->bytes_with_encoding();
  if (list > max_chunk) return send_outcome::no_memory;
  const byte_span space = builder_.space(max_frame_header + list, from);
  if (space.empty()) return send_outcome::blocked;
  const byte_span memory = loans_->lend_encoding(size);
  if (memory.empty()) return send_outcome::no_memory;
  writer out(memory, context, loans());
  type.encode(out, body);
  if (!out.ok() || out.size() != size) return send_outcome::not_encodable;
  header.total = size;
  header.apart = true;
  header.lent = loans_->lent_bytes();
  write_frame_header(space.data(), header, list);
  loans_->write(space.data() + header.bytes());
  builder_.add(header.bytes() + list, header.kind == frame_kind::message);
  builder_.seal();
  return send_outcome::sent;
}

send_outcome sending_stream::send_chunked(destination& to, const outgoing& what, const frame_header& header,
                                          std::size_t bytes, std::uint32_t cost) {
  std::optional<chunked_frame> whole =
      encode_chunked(header, *what.type, what.message, what.codec_context, loans(), bytes);
  if (!whole) return send_outcome::no_memory;
  if (whole->total() != bytes) return send_outcome::not_encodable;
  destinations_.spend(to, cost);
  destinations_.begin_chunks(to, cost);
  whole->to = &to;
  whole->type = what.type;
  whole->deadline = what.deadline;
  chunks_.add(std::move(*whole));
  on_.defer(flush_);
  return send_outcome::sent;
}

/// One frame of what waits there. False: there is nothing, or the lane is full.
bool sending_stream::send_chunk() {
  chunked_frame* const c = chunks_.front();
  if (c == nullptr) return false;
  frame_header header = c->next_header();
  if (c->to != nullptr && c->at_start()) {
    const destination::route* const route = learn_route(*c->to, c->type);
    if (route == nullptr) return false;
    header.route = route->number;
    header.remaining_ns = remaining(c->deadline, on_);
  }
  if (mutated(mutant::lost_chunk) && !c->at_start() && on_.world().random() % 8 == 0) {
    c->advance(c->next_bytes().size());
    if (c->at_end()) return false;
  }
  const byte_view body = c->next_bytes();
  const std::size_t bytes = header.bytes() + body.size();
  const byte_span space = builder_.space(bytes, c->is_note() ? room::reserve : room::ordinary);
  if (space.empty()) return false;
  write_frame_header(space.data(), header, body.size());
  store_bytes(space.data() + header.bytes(), body);
  c->advance(body.size());
  builder_.add(bytes, c->to != nullptr && c->at_end());
  on_.defer(flush_);
  if (!c->at_end()) return true;
  destination* const to = c->to;
  chunks_.pop();
  if (to != nullptr) destinations_.end_chunks(*to);
  return true;
}

void sending_stream::send_chunks() {
  while (send_chunk()) {
  }
}

inline const destination::route* sending_stream::learn_route(destination& to, const wire_type* type) {
  const destination::route* const known = to.find(type);
  return known != nullptr ? known : name_route(to, type);
}

const destination::route* sending_stream::name_route(destination& to, const wire_type* type) {
  const auto numbered = schemas_.find(type);
  const bool known_schema = numbered != schemas_.end();
  const std::string_view text = known_schema ? std::string_view{} : type->schema;
  const std::size_t bytes = frame_word_bytes + route_fixed_bytes + text.size();
  const byte_span space = builder_.space(bytes, room::ordinary);
  if (space.empty()) return nullptr;

  const std::uint32_t schema = known_schema ? numbered->second : next_schema_;
  if (!known_schema) {  // the numbers go round: the oldest schema is told again when it is next needed
    if (schema_numbers_.size() <= schema) schema_numbers_.resize(schema + 1);
    if (schema_numbers_[schema] != nullptr) schemas_.erase(schema_numbers_[schema]);
    schema_numbers_[schema] = type;
    schemas_[type] = schema;
    next_schema_ = (next_schema_ + 1) % max_schemas;
  }
  const std::uint32_t number = destinations_.route_number(to);
  write_frame_header(space.data(), {frame_kind::route, number, 0, 0, 0}, bytes - frame_word_bytes);
  std::byte* const body = space.data() + frame_word_bytes;
  store<std::uint64_t>(body, to.target);
  store<std::uint32_t>(body + 8, to.window);
  store<std::uint32_t>(body + 12, schema);
  if (!text.empty()) std::memcpy(body + route_fixed_bytes, text.data(), text.size());
  builder_.add(bytes, false);
  on_.defer(flush_);
  to.routes.push_back({type, number});
  return &to.routes.back();
}

send_outcome sending_stream::encode(frame_header& header, const wire_type* type, const void* body,
                                    void* context, room from, std::size_t& bytes) {
  for (std::size_t least = header.bytes();;) {
    const byte_span space = builder_.space(least, from);
    if (space.empty()) return send_outcome::blocked;
    const byte_span rest = space.subspan(header.bytes());
    const std::size_t most = std::min(rest.size(), max_chunk);
    writer out(rest.first(most), context, loans());
    type->encode(out, body);
    const std::size_t list = loans_ ? loans_->bytes() : 0;
    if (out.ok() && list != 0 && header.lent == 0) {
      header.lent = loans_->lent_bytes();  // its header is larger: once more
      least = header.bytes();
      continue;
    }
    if (out.ok() && list <= most - out.size()) {
      if (list != 0) loans_->write(rest.data() + out.size());
      bytes = out.size() + list;
      write_frame_header(space.data(), header, bytes);
      return send_outcome::sent;
    }
    if (space.size() >= max_frame) return send_outcome::too_large;
    least = max_frame;
  }
}

bool sending_stream::has_room(std::uint64_t target) {
  if (life_ != life::up || !side_queue_.empty() || somebody_waits_) return false;
  destination* const to = destinations_.open(target);
  if (to == nullptr || to->has_waiters() || to->chunked != 0 ||
      !destinations_.has_credit(*to, max_chunk + message_overhead))
    return false;
  return builder_.has_room(3);  // the rest of the open one, one for the route, one for the message
}

void sending_stream::wait(room_waiter& w) {
  destinations_.wait(w);
  on_.defer(flush_);  // in case there is room already, or the stream is closed
}

void sending_stream::reply(std::uint64_t correlation, errc status, const wire_type* type, const void* body,
                           void* codec_context) {
  if (life_ > life::closing) return;
  const frame_header header{frame_kind::reply, static_cast<std::uint32_t>(status), correlation, 0, 0};
  if (body == nullptr) return put_or_keep(header, {});
  settle_loans(answer(header, *type, body, codec_context));
}

/// False: with an error instead.
bool sending_stream::answer(frame_header header, const wire_type& type, const void* body, void* context) {
  std::size_t bytes = 0;
  send_outcome how = send_outcome::blocked;
  if (side_queue_.empty()) how = encode(header, &type, body, context, room::reserve, bytes);
  if (how == send_outcome::too_large) {
    const std::size_t all = encoded_size(type, body, context, loans());
    if (all <= limits_.max_message) how = encode_apart(header, type, body, context, room::reserve, all);
    if (how == send_outcome::sent) return true;
    if (how == send_outcome::not_encodable) return answer_error(header, errc::not_encodable);
  }
  if (how != send_outcome::sent) return answer_later(header, type, body, context);
  builder_.add(header.bytes() + bytes, false);
  on_.defer(flush_);
  return true;
}

bool sending_stream::answer_error(const frame_header& header, errc why) {
  put_or_keep({frame_kind::reply, static_cast<std::uint32_t>(why), header.correlation, 0, 0}, {});
  return false;
}

bool sending_stream::answer_later(frame_header header, const wire_type& type, const void* body,
                                  void* context) {
  const auto fail = [&](errc why) { return answer_error(header, why); };
  const std::size_t bytes = encoded_size(type, body, context, loans());
  if (bytes > limits_.max_message) return fail(errc::too_large);
  if (kept() + bytes > most_of_answers()) return fail(errc::no_memory);
  std::optional<chunked_frame> whole = encode_chunked(header, type, body, context, loans(), bytes);
  if (!whole) return fail(errc::no_memory);
  if (whole->total() != bytes) return fail(errc::not_encodable);
  if (bytes <= max_chunk) {
    header.lent = loans_ ? loans_->lent_bytes() : 0;
    keep_aside(header, whole->next_bytes());
  } else {
    chunks_.add(std::move(*whole));
    on_.defer(flush_);
  }
  return true;
}

void sending_stream::control(const control_note& note) {
  TROUPE_ASSERT(note.text.size() <= max_control_text, "a control note carries at most 256 bytes of text");
  if (life_ > life::closing) return;
  std::byte body[control_fixed_bytes + max_control_text];
  store<std::uint64_t>(body, note.subject);
  store<std::uint64_t>(body + 8, note.object);
  if (!note.text.empty()) std::memcpy(body + control_fixed_bytes, note.text.data(), note.text.size());
  const std::uint32_t what = static_cast<std::uint32_t>(note.kind) | static_cast<std::uint32_t>(note.code)
                                                                         << 8;
  const frame_header header{frame_kind::control, what, 0, 0, 0};
  const byte_view bytes = byte_view(body).first(control_fixed_bytes + note.text.size());
  if (!note.in_order || chunks_.front() == nullptr) return put_or_keep(header, bytes);
  if (may_keep(sizeof(chunked_frame) + bytes.size())) chunks_.add(chunked_frame(header, bytes));
}

void sending_stream::put_or_keep(const frame_header& header, byte_view body) {
  if (!side_queue_.empty() || !put(header, body)) keep_aside(header, body);
}

bool sending_stream::put(const frame_header& header, byte_view body) {
  if (life_ > life::closing) return false;
  const std::size_t bytes = header.bytes() + body.size();
  const byte_span space = builder_.space(bytes, room::reserve);
  if (space.empty()) return false;
  write_frame_header(space.data(), header, body.size());
  store_bytes(space.data() + header.bytes(), body);
  builder_.add(bytes, false);
  on_.defer(flush_);
  return true;
}

void sending_stream::keep_aside(const frame_header& header, byte_view body) {
  const std::size_t bytes = header.bytes() + body.size();
  if (!may_keep(bytes)) return;
  std::vector<std::byte>& frame = side_queue_.emplace_back(bytes);
  write_frame_header(frame.data(), header, body.size());
  store_bytes(frame.data() + header.bytes(), body);
  side_bytes_ += bytes;
}

/// No: the session ends.
bool sending_stream::may_keep(std::size_t bytes) {
  const bool may = kept() + bytes <= most_of_answers() + side_queue_limit;
  if (!may) events_.port_violated("the peer does not read: too many replies and control notes wait for it");
  return may;
}

bool sending_stream::drain_side_queue() {
  while (!side_queue_.empty()) {
    const std::vector<std::byte>& frame = side_queue_.front();
    const byte_span space = builder_.space(frame.size(), room::reserve);
    if (space.empty()) return false;
    store_bytes(space.data(), frame);
    builder_.add(frame.size(), false);
    side_bytes_ -= frame.size();
    side_queue_.pop_front();
  }
  return true;
}

bool sending_stream::note_ack(std::uint64_t sequence) noexcept {
  if (sequence > builder_.sealed()) return false;
  if (sequence > last_ack_) {
    last_ack_ = sequence;
    board_.acked(sequence);
  }
  return true;
}

bool sending_stream::goodbye_acked() const noexcept {
  const std::uint64_t goodbye = goodbye_.load(std::memory_order_relaxed);
  return goodbye != 0 && last_ack_ >= goodbye;
}

void sending_stream::poke() {
  if (current_worker == &on_) return take_over();
  if (!poked_.announce()) return;
  on_.post([self = shared_from_this()](worker&) {
    self->poked_.heard();
    self->take_over();
  });
}

void sending_stream::take_over() {
  if (life_ == life::stopped) return;
  if (const std::uint64_t messages = builder_.acked(board_.take_acked()); messages != 0) {
    host_.stream_acked(on_, messages);
  }
  bool honest = true;
  board_.take_credit([&](std::uint32_t window, std::uint32_t bytes) {
    honest = destinations_.give_back(window, bytes) && honest;
  });
  if (!honest) events_.port_violated("the peer gave back more credit than it was owed");
  on_.defer(flush_);
}

void sending_stream::flush() {
  if (life_ == life::stopped) return;
  if (life_ != life::up) refuse_waiters();
  if (life_ != life::said_goodbye && drain_side_queue()) {
    // Neither those who wait nor what goes in chunks keeps the other from the lane's room, nor do others keep it from them.
    somebody_waits_ = !send_chunk() && chunks_.front() != nullptr;
    serve_waiters();
    if (duties_ != nullptr) {
      duties_->write_credit(*this);
      duties_->write_loan_notes(*this);
    }
    send_chunks();
    if (life_ == life::closing && chunks_.front() == nullptr) say_goodbye();
  }
  builder_.seal();
  while (duties_ != nullptr && duties_->ack_due() && builder_.seal_ack()) {
  }
}

void sending_stream::serve_waiters() {
  while (destination* const d = destinations_.next_ready()) {
    room_waiter& w = *d->first;
    const send_outcome how = send_to(*d, w.what);
    if (how == send_outcome::blocked) {
      somebody_waits_ = true;
      return destinations_.not_tried();
    }
    if (how == send_outcome::no_credit) {
      destinations_.settle(*d);
      continue;
    }
    destination_table::remove(w);
    w.on_done(w, how);
  }
}

void sending_stream::refuse_waiters() {
  while (room_waiter* const w = destinations_.take_any()) w->on_done(*w, send_outcome::closed);
}

void sending_stream::go_on(lane& over, lender* lends) {
  if (life_ == life::stopped) return;
  builder_.move_to(over.port(on_.index()), over.checksum());
  loans_.reset();
  if (lends != nullptr) loans_.emplace(*lends);
  flush_soon();
}

void sending_stream::finish() {
  if (life_ != life::up) return;
  life_ = life::closing;
  refuse_waiters();
  on_.defer(flush_);
}

void sending_stream::say_goodbye() {
  const frame_header header{frame_kind::goodbye, 0, 0, 0, 0};
  const byte_span space = builder_.space(header.bytes(), room::reserve);
  if (space.empty()) return;
  write_frame_header(space.data(), header, 0);
  builder_.add(header.bytes(), false);
  life_ = life::said_goodbye;
  goodbye_.store(builder_.last_added(),
                 std::memory_order_relaxed);  // before the peer can acknowledge it: as sealed()
}

std::uint64_t sending_stream::stop() {
  take_over();
  life_ = life::stopped;
  refuse_waiters();
  on_.cancel(flush_);
  const std::uint64_t messages = unacked();
  chunks_.clear();
  return messages;
}

}  // namespace troupe::detail
