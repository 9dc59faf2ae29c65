// Everything of troupe that a program needs.
#pragma once

#include <troupe/accounting.hpp>
#include <troupe/blocking.hpp>
#include <troupe/class_actor.hpp>
#include <troupe/codec_map.hpp>
#include <troupe/log.hpp>
#include <troupe/node.hpp>
#include <troupe/run.hpp>
#include <troupe/run_process.hpp>
#include <troupe/self.hpp>
#include <troupe/task.hpp>
#include <troupe/when.hpp>
