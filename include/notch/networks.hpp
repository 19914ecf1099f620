/// @file
/// All of notch that needs no optional dependency: notch.hpp, and what networks take: model, io, ptq and deploy. Readers and
/// writers of ONNX models are apart, in notch/io/onnx_read.hpp and notch/io/onnx_write.hpp, because they need libonnx.
#pragma once

#include <notch/notch.hpp>

#include <notch/io/npy.hpp>
#include <notch/io/npz.hpp>
#include <notch/io/qdq_model.hpp>

#include <notch/model/cost.hpp>
#include <notch/model/float_gemm.hpp>
#include <notch/model/fold_batch_norm.hpp>
#include <notch/model/forward.hpp>
#include <notch/model/fuse_branches.hpp>
#include <notch/model/network.hpp>
#include <notch/model/shapes.hpp>
#include <notch/model/simplify.hpp>

#include <notch/ptq/absorb_bias.hpp>
#include <notch/ptq/calibrate.hpp>
#include <notch/ptq/channel_statistics.hpp>
#include <notch/ptq/choose_ranges.hpp>
#include <notch/ptq/coarse_fine_split.hpp>
#include <notch/ptq/fit_activations.hpp>
#include <notch/ptq/fit_weights.hpp>
#include <notch/ptq/layer_groups.hpp>
#include <notch/ptq/make_plan.hpp>
#include <notch/ptq/measure_moments.hpp>
#include <notch/ptq/mutual_rescale.hpp>
#include <notch/ptq/plan.hpp>
#include <notch/ptq/policy.hpp>
#include <notch/ptq/prepare.hpp>
#include <notch/ptq/refine_weights.hpp>
#include <notch/ptq/round_to_results.hpp>
#include <notch/ptq/sub_layer_reorder.hpp>
#include <notch/ptq/sub_layer_scales.hpp>

#include <notch/deploy/as_qdq.hpp>
#include <notch/deploy/correct_biases.hpp>
#include <notch/deploy/lower.hpp>
#include <notch/deploy/pipeline.hpp>
#include <notch/deploy/plan_file.hpp>
#include <notch/deploy/program.hpp>
#include <notch/deploy/refine_in_order.hpp>
#include <notch/deploy/rescale_by_results.hpp>
#include <notch/deploy/run.hpp>
#include <notch/deploy/simulate.hpp>
