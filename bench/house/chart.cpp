// Scaling curves: the value of a case over its size, both on logarithmic scales, a line for each system.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>

#include "figures.hpp"

namespace bench {
namespace {

constexpr double width = 640;
constexpr double height = 400;
constexpr double margin = 60;

struct point {
  double size;
  double value;
};
struct curve {
  std::string system;
  std::vector<point> points;
};
struct chart {
  std::string title;
  std::vector<curve> curves;
};

/// "fanin" of "fanin_1000".
std::string family_of(const std::string& name) {
  const std::size_t end = name.find_last_not_of("0123456789");
  const bool numbered = end != std::string::npos && end + 1 < name.size() && name[end] == '_';
  return numbered ? name.substr(0, end) : name;
}

struct scale {
  double least = 0;  // powers of ten
  double most = 1;
  double length;
  void hold(double value) {
    least = std::min(least, std::floor(std::log10(value)));
    most = std::max(most, std::ceil(std::log10(value)));
  }
  double at(double value) const { return (std::log10(value) - least) / (most - least) * length; }
};

void draw(std::FILE* to, const chart& c) {
  static constexpr const char* colours[] = {"#c0392b", "#2c3e50", "#2980b9", "#27ae60",
                                            "#8e44ad", "#d35400", "#7f8c8d"};
  scale x{.length = width - 3 * margin};
  scale y{.length = height - 2 * margin};
  for (const curve& one : c.curves) {
    for (const point& p : one.points) {
      x.hold(p.size);
      y.hold(p.value);
    }
  }
  const auto place_x = [&](double size) { return margin + x.at(size); };
  const auto place_y = [&](double value) { return height - margin - y.at(value); };
  std::fprintf(
      to,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text x=\"%g\" y=\"24\" "
      "font-size=\"16\">%s</text>\n",
      width, height, margin, c.title.c_str());
  for (double e = x.least; e <= x.most; ++e) {
    const double at = place_x(std::pow(10, e));
    std::fprintf(to,
                 "<line x1=\"%g\" x2=\"%g\" y1=\"%g\" y2=\"%g\" stroke=\"#ddd\"/><text x=\"%g\" y=\"%g\" "
                 "text-anchor=\"middle\">%g</text>\n",
                 at, at, margin, height - margin, at, height - margin + 18, std::pow(10, e));
  }
  for (double e = y.least; e <= y.most; ++e) {
    const double at = place_y(std::pow(10, e));
    std::fprintf(to,
                 "<line x1=\"%g\" x2=\"%g\" y1=\"%g\" y2=\"%g\" stroke=\"#ddd\"/><text x=\"%g\" y=\"%g\" "
                 "text-anchor=\"end\">%g</text>\n",
                 margin, margin + x.length, at, at, margin - 6, at + 4, std::pow(10, e));
  }
  for (std::size_t i = 0; i < c.curves.size(); ++i) {
    const char* const colour = colours[i % std::size(colours)];
    std::fprintf(to, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (const point& p : c.curves[i].points) std::fprintf(to, "%g,%g ", place_x(p.size), place_y(p.value));
    std::fprintf(to, "\"/>\n<text x=\"%g\" y=\"%g\" fill=\"%s\">%s</text>\n", width - 2 * margin + 10,
                 margin + 18 * static_cast<double>(i), colour, c.curves[i].system.c_str());
  }
  std::fprintf(to, "</svg>\n");
}

}  // namespace

bool figures::draw_charts(const std::string& folder) const {
  std::map<std::string, chart> all;
  for (const row& r : rows_) {
    if (r.size == 0) continue;
    const std::string family = family_of(r.of.name);
    const std::string workers = std::to_string(r.of.workers);
    chart& c = all[family + "_" + workers];
    c.title = family + " on " + workers + (r.of.workers == 1 ? " worker, " : " workers, ") + r.unit;
    auto found = std::find_if(c.curves.begin(), c.curves.end(),
                              [&](const curve& one) { return one.system == r.system; });
    if (found == c.curves.end()) found = c.curves.insert(found, {r.system, {}});
    found->points.push_back({static_cast<double>(r.size), r.median()});
  }
  for (auto& [name, c] : all) {
    std::erase_if(c.curves, [](const curve& one) { return one.points.size() < 2; });
    if (c.curves.empty()) continue;
    for (curve& one : c.curves) {
      std::sort(one.points.begin(), one.points.end(),
                [](const point& a, const point& b) { return a.size < b.size; });
    }
    const std::string file = folder + "/" + name + ".svg";
    std::FILE* const out = std::fopen(file.c_str(), "w");
    if (out == nullptr) {
      std::fprintf(stderr, "cannot write %s: %s\n", file.c_str(), std::strerror(errno));
      return false;
    }
    draw(out, c);
    std::fclose(out);
  }
  return true;
}

}  // namespace bench
