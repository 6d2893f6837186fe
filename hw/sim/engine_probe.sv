// SPDX-License-Identifier: Apache-2.0
//
// What `engine_sim.cpp` reads inside the engine, beside its ports: structs taken apart, under names
// that `activity.vlt` makes public.

module engine_probe
  import cnnaccel_pkg::*;
(
  input request_t       request_i,
  input buffer_t        buffers_i[4],
  input status_t        status_i,
  input logic           flush_i,
  input logic     [2:0] take_i,        // by unit: an instruction begins
  input u32_t           index_i  [3],
  input logic     [7:0] events_i       // of the performance counters
);

  wire axi_address_t program_address = request_i.address;
  wire u32_t once_bytes = request_i.once_bytes;
  wire u32_t body_bytes = request_i.body_bytes;
  wire busy = status_i.busy;
  wire flush = flush_i;
  wire [2:0] take = take_i;
  wire [7:0] events = events_i;
  axi_address_t base[4];
  u32_t size[4], index[3];

  for (genvar b = 0; b < 4; b++) begin : gen_buffer
    assign base[b] = buffers_i[b].base;
    assign size[b] = buffers_i[b].bytes;
  end
  for (genvar unit = 0; unit < 3; unit++) begin : gen_unit
    assign index[unit] = index_i[unit];
  end

endmodule

bind engine engine_probe u_probe (
  .request_i(request),
  .buffers_i(buffers),
  .status_i (status),
  .flush_i  (flush),
  .take_i   (u_core.take),
  .index_i  (u_core.index),
  .events_i (u_monitor.events)
);
