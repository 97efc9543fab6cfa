//! A prompt with text and an image. Documents, audio and video are content blocks in the same way.
//!
//! ```text
//! $ cargo run -p quickstart --bin image
//! sent: "Which color is this?" and a png image of 70 bytes
//! I am the offline model: no language model, just rules that pick a tool by your words. I have no tools here, so all I can do is say so.
//! ```

use strands::Agent;
use strands::message::{ContentBlock, ImageBlock, ImageFormat};

/// A red pixel. A program would read a file: `std::fs::read("photo.png")?`.
const RED: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00, 0x0d, 0x49,
    0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0xfc, 0xcf, 0xc0, 0x50, 0x0f, 0x00, 0x04, 0x85, 0x01, 0x80, 0x84, 0xa9, 0x8c,
    0x21, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut agent = Agent::builder().model(quickstart::model().await?).build().await?;

    let image = ImageBlock::new(ImageFormat::Png, RED.to_vec());
    let prompt = vec![ContentBlock::from("Which color is this?"), ContentBlock::Image(image)];
    let response = agent.prompt(prompt).await?;

    for message in agent.messages() {
        for block in &message.content {
            if let ContentBlock::Image(image) = block {
                let bytes = image.source.bytes().map_or(0, |bytes| bytes.len());
                println!("sent: {:?} and a {} image of {bytes} bytes", message.text(), image.format.as_str());
            }
        }
    }
    println!("{}", response.text());
    Ok(())
}
