// One connected (or connecting) socket, or a FIFO: its buffers, and who waits to read and to write.
//
// Reading. Bytes are received only while a reader wants more than `input_` holds. A reader that is destroyed
// leaves its receive in flight; what that brings is the next reader's. A reader takes its bytes when it is
// resumed, not before, so that none are lost with it.
//
// Writing. The writer's bytes go through `output_` piece by piece. A writer that is destroyed leaves a piece
// that is still sent to its end.
//
// A FIFO. The driver only says when it is ready; then the env reads or writes it, and what it cannot do yet waits again.
//
// Everything runs on the home worker.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include <troupe/stream.hpp>

#include "stream_input.hpp"
#include "stream_socket.hpp"

namespace troupe::detail {

class stream_core final : public stream_socket {
 public:
  stream_core(worker& home, descriptor socket, std::optional<fifo_use> fifo = std::nullopt) noexcept
      : stream_socket(home, std::move(socket)), fifo_(fifo) {}

  void connect(connect_operation& caller, const endpoint& to);
  void give_up(connect_operation& caller) noexcept;

  bool can_read(read_unit unit, std::size_t most) noexcept;
  /// Only if can_read().
  result<std::string> take(read_unit unit, std::size_t most);
  void wait_to_read(read_operation& reader);
  void give_up(read_operation& reader) noexcept;

  void write(write_operation& writer);
  void give_up(write_operation& writer) noexcept;

 private:
  static constexpr std::size_t chunk = 8 * 1024;

  void inward_done(std::int32_t result) noexcept override;
  void outward_done(std::int32_t result) noexcept override;
  void closed() noexcept override;

  void receive_more();
  void send_more();
  std::span<const std::byte> unsent() const noexcept;
  void end_connect(error failure) noexcept;
  void end_read() noexcept;
  void end_write(error failure) noexcept;

  const std::optional<fifo_use> fifo_;  // what it is opened for, if it is no socket
  connect_operation* connector_ = nullptr;
  read_operation* reader_ = nullptr;
  write_operation* writer_ = nullptr;
  stream_input input_;
  std::size_t filled_ = 0;  // of output_
  std::size_t sent_ = 0;    // of those
  std::array<char, chunk> arriving_;
  std::array<char, chunk> output_;
};

}  // namespace troupe::detail
