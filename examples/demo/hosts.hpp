// The hosts of the layout "hosts": each process has one, of its own name, and a key, so that what they say to each other goes over
// TLS. In mid-run one of them is cut off: its link goes down and its connections break, so that the sessions can only go on over
// others, once the link is up again.
#pragma once

#include <memory>
#include <string>
#include <troupe/env.hpp>
#include <vector>

#include "demo/host_network.hpp"
#include "demo/key_folder.hpp"

namespace demo {

class hosts {
 public:
  static constexpr troupe::duration cut_for = std::chrono::seconds(1);

  static troupe::result<std::unique_ptr<hosts>, troupe::setup_error> make(
      const std::vector<std::string>& names);

  /// What the node there is started with.
  std::vector<std::string> flags(const std::string& name) const;
  const host_network& network() const { return *network_; }

  void cut(const std::string& name) const;
  void mend(const std::string& name) const { network_->set_link(name, true); }

 private:
  hosts(std::vector<std::string> names, std::unique_ptr<host_network> network,
        std::unique_ptr<key_folder> keys)
      : names_(std::move(names)), network_(std::move(network)), keys_(std::move(keys)) {}

  std::vector<std::string> names_;
  std::unique_ptr<host_network> network_;
  std::unique_ptr<key_folder> keys_;
};

/// How often a link went on over another connection, for people.
std::string went_on(std::uint64_t resumed);

}  // namespace demo
