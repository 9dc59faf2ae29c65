// Who wants to know of nodes that come and go (troupe/node_events.hpp). Lives on worker 0, which alone touches it.
//
// Each watcher has a helper actor with a feed of what it has not been told: what a watcher hears is in order and complete, but
// a node that has come and gone before it could be told of. So a feed holds two events a node at most.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <troupe/node_events.hpp>
#include <troupe/ref.hpp>

namespace troupe::detail {

class node_core;
class peer_node;

/// To a helper: there is something in its feed.
struct nodes_changed {};

struct node_feed {
  struct event {
    std::string node;
    bool up;
    exit_reason why;
  };
  std::deque<event> untold;
  ref<nodes_changed> reader;
};

class node_watchers {
 public:
  explicit node_watchers(node_core& node) : node_(node) {}

  /// It hears of all nodes that are up, then of changes, until it ends.
  void add(const ref<node_events>& who);
  void up(const peer_node& peer);
  void down(const peer_node& peer, const exit_reason& why);
  /// The node stops: nobody is told any more.
  void end();

 private:
  void tell(const node_feed::event& what);
  static bool poke(const node_feed& feed);

  node_core& node_;
  std::map<std::string, const peer_node*> nodes_;  // that are up
  std::vector<std::shared_ptr<node_feed>> feeds_;
};

}  // namespace troupe::detail
