// SPDX-License-Identifier: MIT
// pixelrnn export, pixelrnn import: weights alone, ours and other programs'.
#include <pixelrnn/io/weight_names.hpp>

#include "commands.hpp"
#include "output.hpp"

namespace cli {
namespace {

void report(const Console& console, const AnyModel& model, const std::string& out,
            const std::string& json) {
  console.write(
      format("wrote %s: %td parameters\n", harmless(out).c_str(), model.parameter_count()));
  Figures figures;
  figures.set("parameters", model.parameter_count());
  figures.set("out", out);
  figures.write(json);
}

}  // namespace

int Export::run() const {
  require_separate({{"--model", model.path}, {"--names", names}},
                   {{"--out", out}, {"--json", json}});
  const Console console(json);
  const std::unique_ptr<AnyModel> net = model.load(console);
  if (!names.empty()) {
    net->export_weights(out, read_weight_names(names));
  } else {
    Metadata kept;  // how data become levels
    for (const auto& [key, value] : read_metadata(model.path)) {
      if (key.starts_with("data.")) kept.insert({key, value});
    }
    if (half) {
      net->save_in_half(out, kept);
    } else {
      net->save(out, kept);
    }
  }
  report(console, *net, out, json);
  return 0;
}

int Import::run() const {
  require_separate({{"--from", from}, {"--names", names}}, {{"--out", out}, {"--json", json}});
  const Console console(json);
  const WeightNames table = read_weight_names(names);
  Rng rng(0);  // every weight is replaced
  const std::unique_ptr<AnyModel> net = make_model(model, rng);
  net->import_weights(from, table);
  net->save(out, {});
  report(console, *net, out, json);
  return 0;
}

}  // namespace cli
