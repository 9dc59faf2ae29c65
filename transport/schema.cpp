#include <algorithm>
#include <troupe/schema.hpp>

namespace troupe {

std::string printable(std::string_view text) {
  constexpr std::size_t max_quoted = 120;
  if (text.empty()) return "nothing";
  std::string out(text.substr(0, max_quoted));
  for (char& c : out)
    if (c < ' ' || c > '~') c = '?';
  if (text.size() > max_quoted) out += "...";
  return out;
}

namespace {

constexpr std::string_view reply_arrow = "->";

std::string here_and_there(std::string_view ours, std::string_view theirs) {
  return printable(ours) + " here and " + printable(theirs) + " there";
}

/// "a:u8,b:str" of "name{a:u8,b:str}"; nothing when the text is not a record.
std::optional<std::string_view> fields_of(std::string_view schema) {
  const std::size_t open = schema.find('{');
  if (open == std::string_view::npos || schema.back() != '}') return std::nullopt;
  return schema.substr(open + 1, schema.size() - open - 2);
}

/// Takes the first field off the list: up to the first comma outside brackets.
std::string_view take_field(std::string_view& fields) {
  std::size_t end = 0;
  for (std::size_t depth = 0; end < fields.size(); ++end) {
    const char c = fields[end];
    if (c == ',' && depth == 0) break;
    if (detail::opens(c)) ++depth;
    if (detail::closes(c) && depth > 0) --depth;
  }
  const std::string_view field = fields.substr(0, end);
  fields.remove_prefix(std::min(end + 1, fields.size()));
  return field;
}

/// `what` opens the message: "bank::deposit" or "the reply of bank::balance".
std::optional<std::string> half_mismatch(const std::string& what, std::string_view theirs,
                                         std::string_view ours) {
  if (theirs == ours) return std::nullopt;
  auto our_fields = fields_of(ours);
  auto their_fields = fields_of(theirs);
  if (!our_fields || !their_fields || schema_name(ours) != schema_name(theirs))
    return what + " is " + here_and_there(ours, theirs);
  for (std::size_t number = 1; !our_fields->empty() && !their_fields->empty(); ++number) {
    const std::string_view our_field = take_field(*our_fields);
    const std::string_view their_field = take_field(*their_fields);
    if (our_field != their_field)
      return what + ": field " + std::to_string(number) + " is " + here_and_there(our_field, their_field);
  }
  return std::nullopt;
}

}  // namespace

schema_halves split_schema(std::string_view text) noexcept {
  const std::size_t arrow = text.find(reply_arrow);
  if (arrow == std::string_view::npos) return {text, {}};
  return {text.substr(0, arrow), text.substr(arrow + reply_arrow.size())};
}

std::optional<std::string> schema_mismatch(std::string_view theirs, std::string_view ours) {
  const schema_halves there = split_schema(theirs);
  const schema_halves here = split_schema(ours);
  const std::string name = printable(schema_name(here.message));
  if (theirs.size() > schema_text_limit)
    return name + ": the peer's schema has " + std::to_string(theirs.size()) +
           " bytes, more than the limit of " + std::to_string(schema_text_limit);
  if (auto difference = half_mismatch(name, there.message, here.message)) return difference;
  return half_mismatch("the reply of " + name, there.reply, here.reply);
}

bool schema_is_longer(std::string_view theirs, std::string_view ours) noexcept {
  return split_schema(theirs).message.size() > split_schema(ours).message.size();
}

}  // namespace troupe
