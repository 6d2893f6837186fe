// SPDX-License-Identifier: Apache-2.0
//
// What the registers tell of a run: the performance counters and `waiting`, as docs/isa.md lists
// them. A unit waits for DRAM while it is busy and no beat comes for it, or goes from it.
//
// Latency: counters 2 cycles, as `event_counters`; waiting_o 1 cycle.

module monitor
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic       clear_i,              // the counters
  input logic       running_i,
  input logic       flush_i,              // the AXI masters end what is under way
  input logic       step_i,               // of the array
  input logic [2:0] valid_i,              // by unit, as are the next: an instruction is next
  input u3_t        missing_i       [3],  // the givers whose tokens it misses
  input logic [2:0] ready_i,              // but for tokens
  input logic [2:0] busy_i,
  input logic       fetch_still_i,
  input logic       fetch_finished_i,
  input logic       load_beat_i,          // data have come for load
  input logic       read_i,               // a beat of the AXI channel
  input logic       write_i,

  output logic [63:0] counters_o[8],
  output logic [31:0] waiting_o
);

  u3_t waits[3];
  for (genvar unit = 0; unit < 3; unit++) begin : gen_waits
    assign waits[unit] = valid_i[unit] ? missing_i[unit] : '0;
  end

  // -- Counters ---------------------------------------------------------------------------------

  logic [7:0] events;
  logic [4:0] amounts[8];

  assign events = {
    write_i,
    read_i,
    busy_i[UnitStore],
    busy_i[UnitLoad],
    ready_i[UnitCompute] && waits[UnitCompute][UnitStore],
    ready_i[UnitCompute] && waits[UnitCompute][UnitLoad],
    step_i,
    running_i
  };
  for (genvar i = 0; i < 8; i++) begin : gen_amount
    assign amounts[i] = i < 6 ? 5'd1 : 5'(InputLanes);
  end

  event_counters u_counters (
    .clk_i,
    .rst_ni,
    .clear_i,
    .event_i  (events),
    .amount_i (amounts),
    .counter_o(counters_o)
  );

  // -- Waiting ----------------------------------------------------------------------------------

  logic [31:0] waiting;

  always_comb begin
    waiting = '0;
    waiting[WaitingFetchDram]    = !fetch_still_i;
    waiting[WaitingFetchQueue]   = fetch_still_i && !fetch_finished_i;
    waiting[WaitingLoadBusy]     = busy_i[UnitLoad];
    waiting[WaitingLoadDram]     = busy_i[UnitLoad] && !load_beat_i;
    waiting[WaitingLoadCompute]  = waits[UnitLoad][UnitCompute];
    waiting[WaitingLoadStore]    = waits[UnitLoad][UnitStore];
    waiting[WaitingComputeBusy]  = busy_i[UnitCompute];
    waiting[WaitingComputeLoad]  = waits[UnitCompute][UnitLoad];
    waiting[WaitingComputeStore] = waits[UnitCompute][UnitStore];
    waiting[WaitingStoreBusy]    = busy_i[UnitStore];
    waiting[WaitingStoreDram]    = busy_i[UnitStore] && !write_i;
    waiting[WaitingStoreLoad]    = waits[UnitStore][UnitLoad];
    waiting[WaitingStoreCompute] = waits[UnitStore][UnitCompute];
    waiting[WaitingEndDram]      = flush_i;
  end

  always_ff @(posedge clk_i) waiting_o <= waiting;

endmodule
