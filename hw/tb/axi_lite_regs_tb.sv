// SPDX-License-Identifier: Apache-2.0
//
// `axi_lite_regs` with its structs taken apart. Wires only.

module axi_lite_regs_tb
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic        axi_awvalid_i,
  output logic        axi_awready_o,
  input  logic [ 7:0] axi_awaddr_i,
  input  logic        axi_wvalid_i,
  output logic        axi_wready_o,
  input  logic [31:0] axi_wdata_i,
  input  logic [ 3:0] axi_wstrb_i,
  output logic        axi_bvalid_o,
  input  logic        axi_bready_i,
  output logic [ 1:0] axi_bresp_o,
  input  logic        axi_arvalid_i,
  output logic        axi_arready_o,
  input  logic [ 7:0] axi_araddr_i,
  output logic        axi_rvalid_o,
  input  logic        axi_rready_i,
  output logic [31:0] axi_rdata_o,
  output logic [ 1:0] axi_rresp_o,

  output logic         start_o,
  output logic         reset_o,
  output logic         interrupt_o,
  output axi_address_t program_address_o,
  output u32_t         once_bytes_o,
  output u32_t         body_bytes_o,
  output u32_t         count_o,
  output axi_address_t base_o           [4],
  output u32_t         size_o           [4],
  output u32_t         input_stride_o,
  output u32_t         output_stride_o,

  input logic        busy_i,
  input logic        done_i,
  input logic        failed_i,
  input logic [ 2:0] error_i,
  input u32_t        failing_instruction_i,
  input u32_t        iteration_i,
  input u32_t        waiting_i,
  input logic [63:0] counters_i           [8]
);

  request_t request;
  buffer_t buffers[4];

  axi_lite_regs u_regs (
    .clk_i,
    .rst_ni,
    .axi_awvalid_i,
    .axi_awready_o,
    .axi_awaddr_i,
    .axi_wvalid_i,
    .axi_wready_o,
    .axi_wdata_i,
    .axi_wstrb_i,
    .axi_bvalid_o,
    .axi_bready_i,
    .axi_bresp_o,
    .axi_arvalid_i,
    .axi_arready_o,
    .axi_araddr_i,
    .axi_rvalid_o,
    .axi_rready_i,
    .axi_rdata_o,
    .axi_rresp_o,
    .start_o,
    .reset_o,
    .interrupt_o,
    .request_o(request),
    .buffers_o(buffers),
    .status_i ({busy_i, done_i, failed_i, error_i, failing_instruction_i}),
    .iteration_i,
    .waiting_i,
    .counters_i
  );

  assign {program_address_o, once_bytes_o, body_bytes_o, count_o, input_stride_o, output_stride_o} =
      request;
  for (genvar b = 0; b < 4; b++) begin : gen_buffer
    assign {base_o[b], size_o[b]} = buffers[b];
  end

endmodule
