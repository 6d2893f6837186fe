// SPDX-License-Identifier: Apache-2.0
//
// The registers of docs/isa.md behind AXI4-Lite, 32 bits wide.
//
// Handshake: AXI4-Lite; address and data of a write are taken together, responses are always OKAY.
// No output hangs on an input of the same cycle (IHI0022, A3.2.1), so there is an access every
// second cycle at best: an address is taken while no response waits, that of a write a cycle after
// it and its data are there.
// Latency: 1 cycle from a taken address to its response. Writes obey strobes; those of registers or
// bits that cannot be written do nothing. Offsets without a register, and those that can only be
// written, read as 0. The high word of a counter may be newer than the low word read before it,
// unless the engine is at rest.
// start_o: one cycle, when control.start is written and control.reset is not, while nothing is
// busy.
// reset_o: one cycle, when control.reset is written. Neither changes a register. interrupt_status
// takes a bit when done or failed of status_i rises; interrupt_o is high while one is set that
// interrupt_enable has.

module axi_lite_regs
  import cnnaccel_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input  logic        axi_awvalid_i,  // AW: an address to write to is offered
  output logic        axi_awready_o,  // AW: it is taken
  input  logic [ 7:0] axi_awaddr_i,   // AW: the first byte
  input  logic        axi_wvalid_i,   // W: a beat is offered
  output logic        axi_wready_o,   // W: it is taken
  input  logic [31:0] axi_wdata_i,    // W: its bytes, the first lowest
  input  logic [ 3:0] axi_wstrb_i,    // W: which of them are written
  output logic        axi_bvalid_o,   // B: a response is offered
  input  logic        axi_bready_i,   // B: it is taken
  output logic [ 1:0] axi_bresp_o,    // B: OKAY, or what went wrong
  input  logic        axi_arvalid_i,  // AR: an address to read from is offered
  output logic        axi_arready_o,  // AR: it is taken
  input  logic [ 7:0] axi_araddr_i,   // AR: the first byte
  output logic        axi_rvalid_o,   // R: a beat is offered
  input  logic        axi_rready_i,   // R: it is taken
  output logic [31:0] axi_rdata_o,    // R: its bytes, the first lowest
  output logic [ 1:0] axi_rresp_o,    // R: OKAY, or what went wrong

  output logic     start_o,        // one cycle
  output logic     reset_o,        // one cycle
  output logic     interrupt_o,    // level, until interrupt_status is cleared
  output request_t request_o,      // as last written
  output buffer_t  buffers_o  [4], // by base_e, as last written

  input status_t        status_i,       // of the run
  input logic    [31:0] iteration_i,    // of body: begun since the start
  input logic    [31:0] waiting_i,      // flags Waiting* of who waits for what
  input logic    [63:0] counters_i [8]  // cycles to written_bytes, in the table's order
);

  // Registers that are read and written lie between RegProgramAddress and RegCycles; `iteration`
  // among them has a place there, which nothing reads.
  localparam int unsigned First = 32'(RegProgramAddress) / 4;
  localparam int unsigned Count = (32'(RegCycles) - 32'(RegProgramAddress)) / 4;

  logic [31:0] values_q[Count];
  logic [1:0] enable_q, pending_q;
  logic done_q, failed_q;

  function automatic logic [63:0] pair(input logic [31:0] values[Count], input logic [7:0] at);
    return {values[32'(at)/4-First+1], values[32'(at)/4-First]};
  endfunction

  // -- Writes -----------------------------------------------------------------------------------

  // What is valid stays until it is taken: it is there in the cycle after it was seen.
  wire write = axi_awready_o;

  assign axi_wready_o = axi_awready_o;
  assign axi_bresp_o  = 2'b00;

  wire [5:0] write_word = axi_awaddr_i[7:2];
  wire write_low = write && axi_wstrb_i[0];
  wire control = write_low && write_word == RegControl[7:2];
  wire acknowledge = write_low && write_word == RegInterruptStatus[7:2];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      axi_awready_o <= 1'b0;
      axi_bvalid_o  <= 1'b0;
      start_o       <= 1'b0;
      reset_o       <= 1'b0;
      enable_q      <= '0;
      pending_q     <= '0;
      done_q        <= 1'b0;
      failed_q      <= 1'b0;
    end else begin
      axi_awready_o <= axi_awvalid_i && axi_wvalid_i && !write && (!axi_bvalid_o || axi_bready_i);
      axi_bvalid_o  <= write || (axi_bvalid_o && !axi_bready_i);
      start_o       <= control && axi_wdata_i[ControlStart] && !status_i.busy
                       && !axi_wdata_i[ControlReset];
      reset_o       <= control && axi_wdata_i[ControlReset];
      if (write_low && write_word == RegInterruptEnable[7:2]) enable_q <= axi_wdata_i[1:0];
      done_q        <= status_i.done;
      failed_q      <= status_i.failed;
      pending_q     <= (pending_q & ~(acknowledge ? axi_wdata_i[1:0] : 2'b00))
                       | {status_i.failed && !failed_q, status_i.done && !done_q};
    end
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned i = 0; i < Count; i++) begin
      for (int unsigned b = 0; b < 4; b++) begin
        if (write && axi_wstrb_i[b] && 32'(write_word) == First + i) begin
          values_q[i][8*b+:8] <= axi_wdata_i[8*b+:8];
        end
      end
    end
  end

  assign interrupt_o = |(pending_q & enable_q);
  assign request_o   = '{
    address:       AddressBits'(pair(values_q, RegProgramAddress)),
    once_bytes:    values_q[32'(RegOnceBytes)/4-First],
    body_bytes:    values_q[32'(RegBodyBytes)/4-First],
    count:         values_q[32'(RegCount)/4-First],
    input_stride:  values_q[32'(RegInputStride)/4-First],
    output_stride: values_q[32'(RegOutputStride)/4-First]
  };
  for (genvar b = 0; b < 4; b++) begin : gen_buffer
    assign buffers_o[b] = '{
            base: AddressBits'(pair(values_q, RegWeightsAddress + 8'(8 * b))),
            bytes: values_q[32'(RegWeightsBytes)/4-First+b]
        };
  end

  // -- Reads ------------------------------------------------------------------------------------

  wire read = axi_arvalid_i && axi_arready_o;
  wire [5:0] read_word = axi_araddr_i[7:2];
  wire [5:0] from_first = read_word - 6'(First);
  wire [5:0] from_cycle = read_word - RegCycles[7:2];
  logic [31:0] data;

  assign axi_arready_o = !axi_rvalid_o;
  assign axi_rresp_o   = 2'b00;

  always_comb begin
    data = '0;
    if (read_word >= RegCycles[7:2]) begin
      if (from_cycle < 6'd16) begin
        data = from_cycle[0] ? counters_i[from_cycle[3:1]][63:32]
                             : counters_i[from_cycle[3:1]][31:0];
      end else if (read_word == RegWaiting[7:2]) begin
        data = waiting_i;
      end
    end else begin
      unique case (read_word)
        RegId[7:2]:                 data = Magic;
        RegVersion[7:2]:            data = FormatVersion;
        RegDigest[7:2]:             data = Digest[31:0];
        RegDigest[7:2] + 6'd1:      data = Digest[63:32];
        RegControl[7:2]:            data = '0;
        RegStatus[7:2]: begin
          data[StatusBusy]   = status_i.busy;
          data[StatusDone]   = status_i.done;
          data[StatusFailed] = status_i.failed;
        end
        RegError[7:2]:              data = 32'(status_i.failure.code);
        RegFailingInstruction[7:2]: data = status_i.failure.index;
        RegInterruptEnable[7:2]:    data = 32'(enable_q);
        RegInterruptStatus[7:2]:    data = 32'(pending_q);
        RegIteration[7:2]:          data = iteration_i;
        default:                    data = values_q[from_first[4:0]];
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      axi_rvalid_o <= 1'b0;
    end else begin
      axi_rvalid_o <= read || (axi_rvalid_o && !axi_rready_i);
    end
  end

  always_ff @(posedge clk_i) if (read) axi_rdata_o <= data;

  if (InterruptEnableDone != InterruptStatusDone || InterruptEnableFailed != InterruptStatusFailed)
  begin : gen_check
    $error("axi_lite_regs: enable and status of an interrupt are different bits");
  end

  // Accesses are whole words.
  logic unused_address;
  assign unused_address = ^{axi_awaddr_i[1:0], axi_araddr_i[1:0], from_first[5]};

endmodule
