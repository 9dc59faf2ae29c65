// The files of a node's security: its key and its allow-list. They are read when a program starts, before there is anything
// that could be simulated, so what reads them goes past the env, as what reads the file of `--config` does.
//
// Every error is one line that names the file and the fix, and shows nothing of a key.
#pragma once

#include <string>

#include <troupe/env.hpp>

#include "allow_list.hpp"
#include "node_key.hpp"

namespace troupe::detail {

/// Refused if the file's group or others may do anything with it.
result<node_key, setup_error> read_key_file(const std::string& path);
/// A new file that its owner alone may read (mode 0600); whoever looks for it finds nothing or all of it. Never in place of
/// another one.
result<void, setup_error> write_key_file(env& world, const std::string& path, const node_key& key);

/// Refused if the file's group or others may write to it.
result<allow_list, setup_error> read_allow_list(const std::string& path);

}  // namespace troupe::detail
