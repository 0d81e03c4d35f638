// SPDX-License-Identifier: MIT
// Options on the command line: groups that several subcommands share, and the parser of train.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "commands.hpp"

namespace cli {

/// A subcommand: its parser, and what runs once it has been chosen and parsed.
struct Command {
  CLI::App* parser;
  std::function<int()> run;
};

void add_threads(CLI::App& parser, int& threads);
void add_json(CLI::App& parser, std::string& path);
void add_data(CLI::App& parser, std::vector<std::string>& paths, std::vector<std::string>& labels,
              std::string& told);
void add_told(CLI::App& parser, std::string& told);
void add_preparation(CLI::App& parser, PreparationOptions& options);
void add_model_file(CLI::App& parser, ModelFile& file);
/// Models that are mixed with it.
void add_mixture(CLI::App& parser, ModelFile& file);
void add_model_spec(CLI::App& parser, ModelSpec& spec);
void add_drawing(CLI::App& parser, Drawing& options);

/// pixelrnn train; the arguments are the whole command line, for the advice how to resume.
[[nodiscard]] Command add_train(CLI::App& app, const std::vector<std::string>& arguments);

}  // namespace cli
