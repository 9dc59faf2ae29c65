// Where each stage of the order pipeline lives: the only thing that differs between the layouts.
//
//   layout   | stages live in                      | lanes between them
//   threads  | one process, on different workers   | mailboxes
//   procs    | a process each, on one host         | shared memory
//   tcp      | a process each                      | TCP
//   hosts    | a process each, on a host each      | TLS over TCP
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace orders {

/// A stage and those that it sends to; a node must be linked with the nodes of these.
struct stage {
  std::string_view name;
  std::vector<std::string_view> sends_to;
};

/// Last stage first: the order to start them in.
const std::vector<stage>& pipeline();
/// Null: there is no such stage.
const stage* find_stage(std::string_view name);

enum class layout : std::uint8_t { threads, procs, tcp, hosts };
/// Those that one host is enough for.
inline constexpr std::array<layout, 3> layouts = {layout::threads, layout::procs, layout::tcp};
std::string_view to_string(layout l) noexcept;

/// The node that a stage lives on.
std::string_view node_of(layout l, std::string_view stage) noexcept;

/// One process of a layout.
struct placement {
  std::string_view node;
  std::vector<std::string_view> stages;
  std::vector<std::string_view> joins;  // nodes, all of them earlier in deployment()
};
/// In the order to start them in.
std::vector<placement> deployment(layout l);

}  // namespace orders
