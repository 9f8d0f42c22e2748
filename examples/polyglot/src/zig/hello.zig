//! A command in Zig: the answer is JSON on standard output. The event, which it
//! does not look at, is JSON on standard input.

const std = @import("std");

const Answer = struct {
    statusCode: u16 = 200,
    headers: struct { @"content-type": []const u8 = "application/json" } = .{},
    body: []const u8,
};

pub fn main() !void {
    var out = std.io.bufferedWriter(std.io.getStdOut().writer());
    try std.json.stringify(Answer{
        .body = "{\"message\":\"Serverless Functions are cool! 😎 Hello from Zig.\"}",
    }, .{}, out.writer());
    try out.flush();
}
