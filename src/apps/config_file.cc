#include "apps/config_file.h"

#include <fstream>
#include <sstream>
#include <toml++/toml.h>

namespace kiseki::apps {

namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

Result<> collect(const toml::table& table, const std::string& prefix, Values& into) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* nested = node.as_table()) {
      KISEKI_TRY(collect(*nested, key + ".", into));
    } else if (const auto* text = node.as_string()) {
      into.emplace_back(key, text->get());
    } else if (const auto* number = node.as_integer()) {
      into.emplace_back(key, std::to_string(number->get()));
    } else {
      return fail(Errc::invalid_argument, fmt::format("line {}: '{}' is neither a string nor an integer",
                                                      node.source().begin.line, key));
    }
  }
  return {};
}

}  // namespace

Result<Values> read_config_file(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return fail(Errc::not_found, fmt::format("{}: no such configuration file", file.string()));
  }
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream) return fail(Errc::io_error, fmt::format("{}: cannot be read", file.string()));
  try {
    Values values;
    auto done = collect(toml::parse(text.str()), "", values);
    if (!done) return fail(std::move(done).error().in(file.string()));
    return values;
  } catch (const toml::parse_error& thrown) {
    const auto& at = thrown.source().begin;
    return fail(Errc::invalid_argument, fmt::format("{}: line {}, column {}: {}", file.string(), at.line,
                                                    at.column, thrown.description()));
  }
}

}  // namespace kiseki::apps
