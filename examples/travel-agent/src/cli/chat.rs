//! Chat in the terminal: line editing, history, Ctrl-C and Ctrl-D.

use rustyline::{
    Cmd, ConditionalEventHandler, DefaultEditor, Event, EventContext, EventHandler, KeyEvent, Movement, RepeatCount,
    error::ReadlineError,
};

use super::{BoxError, Conversation, Terminal, args::data_file, with_causes};

/// Chats until the user leaves.
pub(crate) async fn chat(conversation: &Conversation) -> Result<(), BoxError> {
    let mut editor = DefaultEditor::new()?;
    editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(ClearOrLeave)));
    let history = data_file("history.txt");
    if let Some(history) = &history {
        // The file does not exist at the first start.
        let _ = editor.load_history(history);
    }
    let mut terminal = Terminal::standard();
    loop {
        // Reading blocks this thread, so tell the runtime.
        let line = match tokio::task::block_in_place(|| editor.readline("> ")) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        let prompt = line.trim();
        match prompt {
            "" => continue,
            "exit" | "quit" => break,
            _ => {}
        }
        editor.add_history_entry(prompt)?;
        if let Err(error) = conversation.reply(prompt, &mut terminal).await? {
            terminal.note(&with_causes(&error))?;
        }
    }
    if let Some(history) = &history {
        if let Some(folder) = history.parent() {
            std::fs::create_dir_all(folder)?;
        }
        editor.save_history(history)?;
    }
    Ok(())
}

/// Handler of Ctrl-C: clears the line, or ends the chat if the line is empty.
struct ClearOrLeave;

impl ConditionalEventHandler for ClearOrLeave {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        Some(if context.line().is_empty() { Cmd::Interrupt } else { Cmd::Kill(Movement::WholeLine) })
    }
}
