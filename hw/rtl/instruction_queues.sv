// SPDX-License-Identifier: Apache-2.0
//
// The queues between `fetch` and the units, one for each, and what the iteration adds to the offset
// of a load or a store: by its buffer, if it advances at all.
//
// Handshake: the stream contract, by unit; at most one bit of valid_i. Latency: that of
// `registered_fifo`.

module instruction_queues
  import cnnaccel_pkg::*;
#(
  parameter int unsigned Depth = 4  // of each queue, a power of two
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic     [2:0] valid_i,          // by unit, as ready_o
  output logic     [2:0] ready_o,          // it is taken
  input  compute_t       record_i,         // a load or store is the upper half
  input  u32_t           index_i,          // of the instruction in the program
  input  u32_t           input_advance_i,  // bytes by which INPUT has moved on
  input  u32_t           output_advance_i, // and OUTPUT

  output logic           [2:0] valid_o,    // by unit, as ready_i and the entries
  input  logic           [2:0] ready_i,    // it is taken
  output load_entry_t          load_o,     // load's next instruction
  output compute_entry_t       compute_o,  // compute's
  output store_entry_t         store_o,    // store's
  output logic                 empty_o     // all of them
);

  load_t short;  // load and store begin alike
  u32_t advance;
  logic [2:0] empty;

  assign short   = record_i[$bits(compute_t)-1-:$bits(load_t)];
  assign empty_o = &empty;

  always_comb begin
    advance = '0;
    if (short.advances && short.base == BaseInput) advance = input_advance_i;
    if (short.advances && short.base == BaseOutput) advance = output_advance_i;
  end

  registered_fifo #(
    .Width($bits(load_entry_t)),
    .Depth(Depth)
  ) u_load (
    .clk_i,
    .rst_ni,
    .valid_i(valid_i[UnitLoad]),
    .ready_o(ready_o[UnitLoad]),
    .data_i ({index_i, advance, short}),
    .valid_o(valid_o[UnitLoad]),
    .ready_i(ready_i[UnitLoad]),
    .data_o (load_o),
    .empty_o(empty[UnitLoad])
  );

  registered_fifo #(
    .Width($bits(compute_entry_t)),
    .Depth(Depth)
  ) u_compute (
    .clk_i,
    .rst_ni,
    .valid_i(valid_i[UnitCompute]),
    .ready_o(ready_o[UnitCompute]),
    .data_i ({index_i, record_i}),
    .valid_o(valid_o[UnitCompute]),
    .ready_i(ready_i[UnitCompute]),
    .data_o (compute_o),
    .empty_o(empty[UnitCompute])
  );

  registered_fifo #(
    .Width($bits(store_entry_t)),
    .Depth(Depth)
  ) u_store (
    .clk_i,
    .rst_ni,
    .valid_i(valid_i[UnitStore]),
    .ready_o(ready_o[UnitStore]),
    .data_i ({index_i, advance, short}),
    .valid_o(valid_o[UnitStore]),
    .ready_i(ready_i[UnitStore]),
    .data_o (store_o),
    .empty_o(empty[UnitStore])
  );

endmodule
