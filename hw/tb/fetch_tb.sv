// SPDX-License-Identifier: Apache-2.0
//
// `fetch` with its structs taken apart. Wires only.

module fetch_tb
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic         start_i,
  input axi_address_t program_address_i,
  input u32_t         once_bytes_i,
  input u32_t         body_bytes_i,
  input u32_t         count_i,
  input u32_t         input_stride_i,
  input u32_t         output_stride_i,

  output logic         cmd_valid_o,
  input  logic         cmd_ready_i,
  output axi_address_t cmd_address_o,
  output u32_t         cmd_bytes_o,
  input  logic         beat_valid_i,
  output logic         beat_ready_o,
  input  word_t        beat_data_i,
  input  logic         beat_error_i,

  output logic     [2:0] valid_o,
  input  logic     [2:0] ready_i,
  output u32_t           index_o        [3],
  output load_t          load_o,
  output u32_t           load_advance_o,
  output compute_t       compute_o,
  output store_t         store_o,
  output u32_t           store_advance_o,

  output u32_t       iteration_o,
  output logic       finished_o,
  output logic       empty_o,
  output logic       still_o,
  output logic [2:0] error_o,
  output u32_t       error_index_o
);

  read_command_t cmd;
  load_entry_t load_entry;
  compute_entry_t compute_entry;
  store_entry_t store_entry;
  failure_t failure;

  fetch u_fetch (
    .clk_i,
    .rst_ni,
    .start_i,
    .request_i(
    '{
        address: program_address_i,
        once_bytes: once_bytes_i,
        body_bytes: body_bytes_i,
        count: count_i,
        input_stride: input_stride_i,
        output_stride: output_stride_i
    }
    ),
    .cmd_valid_o,
    .cmd_ready_i,
    .cmd_o(cmd),
    .beat_valid_i,
    .beat_ready_o,
    .beat_i('{error: beat_error_i, last: 1'b0, offset: '0, data: beat_data_i}),
    .valid_o,
    .ready_i,
    .load_o(load_entry),
    .compute_o(compute_entry),
    .store_o(store_entry),
    .iteration_o,
    .finished_o,
    .empty_o,
    .still_o,
    .failure_o(failure)
  );

  assign {cmd_address_o, cmd_bytes_o}          = cmd;
  assign {index_o[0], load_advance_o, load_o}   = load_entry;
  assign {index_o[1], compute_o}                = compute_entry;
  assign {index_o[2], store_advance_o, store_o} = store_entry;
  assign error_o                                = failure.code;
  assign error_index_o                          = failure.index;

endmodule
