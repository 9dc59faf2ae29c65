// One TLS 1.3 connection as a state machine over bytes: no socket, no clock, no thread. Bytes from the peer go in and plain
// ones come out, and the other way round, each time from the caller's memory straight into the caller's memory.
//
//   handshaking ──► open ──► closed   the peer has said that nothing more comes
//        └───────────┴─────► failed   failure() says why; no call does anything any more, but to give the last word (an alert)
//
// A dialer is open before the acceptor has looked at its certificate: what it sends then is lost if the acceptor refuses it,
// and the refusal comes in with the next bytes. Who the peer is (its name) is for the caller to check, once the channel is
// open, with peer_key() and the allow-list.
//
// Bounds. The channel keeps nothing that came in but the part of one record that OpenSSL has (16 KiB), and of what goes out at
// most `most_kept`. A peer may send at most `most_silent` bytes that bring no plaintext: that bounds the handshake, and
// whatever it could say after that instead of data.
//
// Where a connection ends without `closed`, it was cut off: what the peer had to say may be missing at the end.
//
// OpenSSL draws its own keys and nonces, past the env; so a simulation has no secure channels.
//
// Thread-safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "credentials.hpp"

struct ssl_st;  // OpenSSL's SSL

namespace troupe::detail {

class secure_channel {
 public:
  enum class side : std::uint8_t { dialer, acceptor };
  enum class stage : std::uint8_t { handshaking, open, closed, failed };
  /// How much of the input is done with, and how many bytes of the output are there.
  struct progress {
    std::size_t taken = 0;
    std::size_t made = 0;
  };

  static constexpr std::size_t most_plain_in_record = 16 * 1024;
  static constexpr std::size_t record_overhead = 22;  // header 5, kind 1, tag 16
  static constexpr std::size_t max_record = most_plain_in_record + record_overhead;
  static constexpr std::size_t rekey_bytes =
      record_overhead + 5;  // a record that says that the next has a new key
  static constexpr std::size_t most_kept = 2 * max_record;
  static constexpr std::size_t most_silent = 64 * 1024;
  /// AES-GCM is safe for 2^24.5 records of one key (RFC 8446, 5.5), and OpenSSL does not count them.
  static constexpr std::uint32_t records_of_a_key = 1u << 22;

  /// Room in which encrypt() takes so many bytes at once, if there was no output before (and less than 64 GiB of them).
  static constexpr std::size_t encrypted_size(std::size_t plain) noexcept {
    return plain + (plain + most_plain_in_record - 1) / most_plain_in_record * record_overhead + rekey_bytes;
  }

  /// `rekey_after`: so many records; less than the default is for tests.
  secure_channel(const credentials& own, side which, key_check known,
                 std::uint32_t rekey_after = records_of_a_key);
  secure_channel(const secure_channel&) = delete;
  secure_channel& operator=(const secure_channel&) = delete;
  ~secure_channel();

  /// Takes what came from the peer, and gives what it says; `has_output()` may be true then. Takes all, if there is room for
  /// the plaintext. Call it again, also without new input, as long as it fills all of `plain`.
  progress decrypt(byte_view cipher, byte_span plain);
  /// Gives what is to go to the peer: first what the channel has to say itself, then `plain`, of which it takes nothing
  /// before the channel is open or after close(). A record is only begun if it fits whole: room for encrypted_size(n) is
  /// enough to get on with n bytes.
  progress encrypt(byte_view plain, byte_span cipher);
  /// Whether encrypt({}, ...) would give something.
  bool has_output() const noexcept { return wire_.kept_from != wire_.kept.size(); }
  /// Says that nothing more comes from this side (close_notify). What the peer says is still decrypted. Nothing happens
  /// before the channel is open: hang up then.
  void close();

  stage state() const noexcept { return stage_; }
  const std::string& failure() const noexcept { return failure_; }
  /// Proved by the peer. Only when the channel is open, or closed.
  const public_key& peer_key() const noexcept;

  /// What OpenSSL reads from and writes to during a call.
  struct wire {
    byte_view in;
    byte_span out;
    std::vector<std::byte> kept;  // output that found no room in `out`: from kept_from on
    std::size_t kept_from = 0;
    bool overflowed = false;
  };

 private:
  struct free_ssl {
    void operator()(ssl_st* ssl) const noexcept;
  };

  void shake_hands();
  std::size_t read(byte_span plain);
  std::size_t give_kept();
  void explain(int error);
  void fail(std::string why);

  std::unique_ptr<ssl_st, free_ssl> ssl_;
  wire wire_;
  peer_proof proof_;
  std::string failure_;
  std::size_t silent_ = 0;
  std::uint32_t records_ = 0;
  std::uint32_t rekey_after_;
  stage stage_ = stage::handshaking;
  bool said_goodbye_ = false;
};

}  // namespace troupe::detail
